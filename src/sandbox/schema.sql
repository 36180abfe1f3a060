-- What an account server keeps: verifiers, public keys and wrapped keys, nothing that opens them.

CREATE TABLE IF NOT EXISTS account (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    uuid TEXT NOT NULL,
    name TEXT NOT NULL,
    domains TEXT NOT NULL,           -- JSON array; empty allows any
    created_at TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS members (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid TEXT NOT NULL UNIQUE,
    email TEXT NOT NULL,
    pending_email TEXT,
    name TEXT NOT NULL,
    language TEXT NOT NULL,
    state TEXT NOT NULL,
    state_before TEXT,               -- the state that a suspension interrupted
    invitation TEXT UNIQUE,          -- until used
    secret_key_format TEXT,
    secret_key_id TEXT,
    user_auth TEXT,                  -- JSON
    verifier TEXT,
    keyset TEXT,                     -- JSON, the primary keyset
    pub_key TEXT,                    -- JSON
    attr_version INTEGER NOT NULL DEFAULT 1,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS members_by_state ON members (state, seq);

-- Every address that is taken, lower-case: current ones and those that wait for consent.
CREATE TABLE IF NOT EXISTS addresses (
    address TEXT PRIMARY KEY,
    member INTEGER NOT NULL REFERENCES members ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS addresses_by_member ON addresses (member);

CREATE TABLE IF NOT EXISTS groups (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    built_in INTEGER NOT NULL,
    permissions TEXT NOT NULL,       -- JSON array
    keyset TEXT NOT NULL,            -- JSON; the wrapped key in it is replaced by the holder's
    member_count INTEGER NOT NULL DEFAULT 0,
    attr_version INTEGER NOT NULL DEFAULT 1,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS memberships (
    grp INTEGER NOT NULL REFERENCES groups ON DELETE CASCADE,
    member INTEGER NOT NULL REFERENCES members ON DELETE CASCADE,
    PRIMARY KEY (grp, member)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS memberships_by_member ON memberships (member, grp);

-- A group's key, once for each holder: a person or another group.
CREATE TABLE IF NOT EXISTS wrapped_keys (
    grp INTEGER NOT NULL REFERENCES groups ON DELETE CASCADE,
    holder TEXT NOT NULL,
    manager INTEGER NOT NULL DEFAULT 0,   -- holds the key without being a member
    enc_sym_key TEXT NOT NULL,            -- JSON
    PRIMARY KEY (grp, holder)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS wrapped_keys_by_holder ON wrapped_keys (holder);

CREATE TABLE IF NOT EXISTS devices (
    member INTEGER NOT NULL REFERENCES members ON DELETE CASCADE,
    uuid TEXT NOT NULL,
    deleted INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (member, uuid)
) WITHOUT ROWID;

-- What came of requests that carry an id, for their repetitions.
CREATE TABLE IF NOT EXISTS attempts (
    caller TEXT NOT NULL,
    id TEXT NOT NULL,
    subject TEXT NOT NULL,           -- what it was about; a repetition has the same
    uuid TEXT NOT NULL,              -- who or what was made or confirmed
    at TEXT NOT NULL,
    PRIMARY KEY (caller, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS attempts_by_time ON attempts (at);
DROP TABLE IF EXISTS requests;       -- its predecessor, which kept whole answers

CREATE TABLE IF NOT EXISTS mail (
    seq INTEGER PRIMARY KEY,
    recipient TEXT NOT NULL,         -- lower-case
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    invitation TEXT,
    at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS mail_by_recipient ON mail (recipient, seq);

CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    member TEXT,
    grp TEXT,
    actor TEXT NOT NULL,
    at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS events_by_kind ON events (kind, member);

-- How long each list is: in buckets of 1024 sequence numbers, so that an offset is found without
-- walking the rows before it, and as a whole in bucket -1.
CREATE TABLE IF NOT EXISTS counts (
    list TEXT NOT NULL,
    bucket INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (list, bucket)
) WITHOUT ROWID;

CREATE TRIGGER IF NOT EXISTS member_added AFTER INSERT ON members BEGIN
    INSERT INTO counts VALUES ('members:' || NEW.state, NEW.seq / 1024, 1), ('members:' || NEW.state, -1, 1)
    ON CONFLICT DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER IF NOT EXISTS member_removed AFTER DELETE ON members BEGIN
    UPDATE counts SET count = count - 1
    WHERE list = 'members:' || OLD.state AND bucket IN (OLD.seq / 1024, -1);
END;
CREATE TRIGGER IF NOT EXISTS member_moved AFTER UPDATE OF state ON members WHEN OLD.state <> NEW.state BEGIN
    UPDATE counts SET count = count - 1
    WHERE list = 'members:' || OLD.state AND bucket IN (OLD.seq / 1024, -1);
    INSERT INTO counts VALUES ('members:' || NEW.state, NEW.seq / 1024, 1), ('members:' || NEW.state, -1, 1)
    ON CONFLICT DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER IF NOT EXISTS group_added AFTER INSERT ON groups BEGIN
    INSERT INTO counts VALUES ('groups', NEW.seq / 1024, 1), ('groups', -1, 1)
    ON CONFLICT DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER IF NOT EXISTS group_removed AFTER DELETE ON groups BEGIN
    UPDATE counts SET count = count - 1 WHERE list = 'groups' AND bucket IN (OLD.seq / 1024, -1);
    DELETE FROM counts WHERE list = 'group:' || OLD.seq;
END;
CREATE TRIGGER IF NOT EXISTS membership_added AFTER INSERT ON memberships BEGIN
    UPDATE groups SET member_count = member_count + 1 WHERE seq = NEW.grp;
    INSERT INTO counts VALUES ('group:' || NEW.grp, NEW.member / 1024, 1), ('group:' || NEW.grp, -1, 1)
    ON CONFLICT DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER IF NOT EXISTS membership_removed AFTER DELETE ON memberships BEGIN
    UPDATE groups SET member_count = member_count - 1 WHERE seq = OLD.grp;
    UPDATE counts SET count = count - 1
    WHERE list = 'group:' || OLD.grp AND bucket IN (OLD.member / 1024, -1);
END;
