
"use strict";
// The status page. What the bridge answers is put in as text, never as markup: names come from
// outside. The token is kept in this script's memory, goes out in a header, and is forgotten with
// the page.

const EVERY = 30_000;
const PATIENCE = 40_000;

// Where the bridge is, as the browser knows it: at the root of its host or below a path.
const base = location.pathname.replace(/\/{2,}/g, "/").replace(/\/$/, "").replace(/\/app$/, "");

const at = id => document.getElementById(id);

let token = null;
// What was answered last, when, and how far this device's clock is behind the bridge's.
let seen = null, seenAt = 0, behind = 0;
// When the bridge is asked next, and whether it is being asked.
let nextAt = 0, asking = false;
let problem = null;

/* Elements */

function el(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes ?? {}))
    if (value !== null && value !== undefined) element.setAttribute(key, value);
  element.append(...children.flat().filter(child => child !== null && child !== undefined && child !== false));
  return element;
}

function shape(state) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("class", "shape is-" + state);
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(space, "use");
  use.setAttribute("href", "#shape-" + state);
  svg.append(use);
  return svg;
}

const badge = (state, text) => el("span", { class: "badge is-" + state }, shape(state), text);
const plain = text => el("span", { class: "badge" }, text);
const nothing = text => el("p", { class: "nothing" }, text);
const code = text => el("code", {}, text);
const missing = what => el("p", { class: "missing" }, badge("degraded", "Not known"), " " + sentence(what));

function facts(rows) {
  const known = rows.filter(row => row[1] !== null && row[1] !== undefined);
  if (!known.length) return null;
  return el("dl", { class: "facts gap" }, known.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

// Puts children into a place, if they are others than those there; the focus stays where it was.
const shown = new Map();
function put(id, value, ...children) {
  const place = at(id), text = JSON.stringify(value ?? null);
  if (shown.get(id) === text) return;
  shown.set(id, text);
  const kept = place.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  place.replaceChildren(...children.flat().filter(Boolean));
  if (kept) place.querySelector(`[data-key="${CSS.escape(kept)}"]`)?.focus({ preventScroll: true });
}

/* Times */

const words = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const short = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const now = () => Date.now() + behind;

function relative(then) {
  const seconds = Math.round((then - now()) / 1000), size = Math.abs(seconds);
  if (size < 45) return seconds > 0 ? `in ${size} s` : size < 5 ? "just now" : `${size} s ago`;
  if (size < 45 * 60) return words.format(Math.round(seconds / 60), "minute");
  if (size < 22 * 3600) return words.format(Math.round(seconds / 3600), "hour");
  return words.format(Math.round(seconds / 86400), "day");
}

function countdown(then) {
  const left = Math.ceil((then - now()) / 1000);
  if (left <= 0) return "with the next sweep";
  const two = number => String(number).padStart(2, "0");
  const hours = Math.floor(left / 3600), minutes = Math.floor(left / 60) % 60;
  return "in " + (hours ? `${hours}:${two(minutes)}` : minutes) + ":" + two(left % 60);
}

// A moment that goes on being told.
function moment(text, telling = "relative") {
  const then = Date.parse(text);
  if (Number.isNaN(then)) return null;
  const time = el("time", { datetime: text, title: full.format(then), "data-telling": telling });
  tell(time);
  return time;
}

const tellings = { relative, countdown };

function tell(time) {
  const text = tellings[time.dataset.telling](Date.parse(time.dateTime));
  if (time.textContent !== text) time.textContent = text;
}

/* Asking the bridge */

class Trouble extends Error {
  constructor(kind, text, wait) {
    super(text);
    this.kind = kind;
    this.wait = wait;
  }
}

async function ask(path, method = "GET", order) {
  const headers = { authorization: "Bearer " + token, accept: "application/json" };
  if (method === "POST") headers["content-type"] = "application/json";
  let answer, value = null;
  try {
    answer = await fetch(base + "/app/" + path, {
      method, headers, cache: "no-store", redirect: "error", referrerPolicy: "no-referrer",
      body: method === "POST" ? JSON.stringify(order ?? {}) : undefined,
      signal: AbortSignal.timeout(PATIENCE),
    });
    value = await answer.json().catch(() => null);
  } catch {
    throw new Trouble("away", navigator.onLine === false ? "This device is offline." : "The bridge cannot be reached.");
  }
  if (answer.ok && value) return value;
  const seconds = Number(answer.headers.get("retry-after")) || null;
  const detail = typeof value?.detail === "string" ? sentence(value.detail) : null;
  switch (answer.status) {
    case 401: throw new Trouble("token", "This token is not valid: it was mistyped, has ended, was revoked, or was made within the last minute.");
    case 403: throw new Trouble("forbidden", detail ?? "Something in front of the bridge refuses this request (403).");
    case 429: throw new Trouble("busy", detail ?? "The bridge asks for a slower pace.", seconds ?? 60);
    case 503: throw new Trouble("unready", detail ?? "The bridge is not ready (503).", seconds);
    case 200: throw new Trouble("odd", "What answers here is not the bridge.");
    default: throw new Trouble("odd", detail ?? `The bridge answered with status ${answer.status}.`, seconds);
  }
}

function sentence(text) {
  const trimmed = text.trim();
  return trimmed.charAt(0).toUpperCase() + trimmed.slice(1) + (/[.!?]$/.test(trimmed) ? "" : ".");
}

const again = trouble => trouble.wait ? ` Try again in ${trouble.wait} s.` : "";

async function refresh() {
  if (asking || token === null) return;
  const mine = token;
  asking = true;
  at("refresh").disabled = true;
  try {
    const status = await ask("status");
    if (token !== mine) return;
    behind = (Date.parse(status.health?.retrievedAt) || Date.now()) - Date.now();
    // Whole seconds are told: less is no difference.
    if (Math.abs(behind) < 2000) behind = 0;
    [seen, seenAt, problem] = [status, Date.now(), null];
    nextAt = Date.now() + EVERY;
    render();
  } catch (error) {
    if (token === mine) fail(error);
  } finally {
    asking = false;
    at("refresh").disabled = false;
    tick();
  }
}

function fail(error) {
  const known = error instanceof Trouble;
  const trouble = known ? error : new Trouble("odd", "This page could not show what the bridge answered.");
  if (!known) console.error(error);
  if (trouble.kind === "token") return forget(trouble.message);
  nextAt = Date.now() + Math.max(trouble.wait ? trouble.wait * 1000 : 0, EVERY);
  problem = trouble;
  // Before anything was seen: a bridge without credentials is down, of the rest nothing is known.
  if (!seen && trouble.kind !== "unready") return forget(trouble.message + again(trouble), true);
  if (!seen) return renderUnready(trouble);
  renderProblem();
}

/* The door */

function forget(message, keep) {
  const kept = keep ? token : null;
  [token, seen, problem] = [null, null, null];
  shown.clear();
  if (at("dialog").open) at("dialog").close();
  for (const place of ["people", "confirmation", "provider", "account", "guard", "groups", "checks", "activity", "parts", "credentials", "matters"])
    at(place).replaceChildren();
  at("status").hidden = at("tools").hidden = true;
  at("door").hidden = false;
  at("announcer").textContent = "";
  document.title = "Status · scim-bridge";
  const field = at("token");
  field.value = kept ?? "";
  field.type = "password";
  at("reveal").textContent = "Show";
  at("reveal").setAttribute("aria-pressed", "false");
  complain(message ?? "");
  field.focus();
}

function complain(message) {
  at("token-problem").textContent = message;
  if (message) at("token").setAttribute("aria-invalid", "true");
  else at("token").removeAttribute("aria-invalid");
}

async function enter() {
  const field = at("token"), text = field.value.trim();
  if (!text) return complain("Enter a token first."), field.focus();
  // What a header cannot carry is no token.
  if (!/^[\x21-\x7e]+$/.test(text)) return complain("This is no token: it has blanks or letters that no token has."), field.focus();
  complain("");
  token = text;
  at("enter").disabled = true;
  at("enter").textContent = "Asking the bridge…";
  await refresh();
  at("enter").disabled = false;
  at("enter").textContent = "Show the status";
  if (token === null) return;
  field.value = "";
  at("verdict").focus();
}

/* The status */

const VERDICTS = {
  healthy: ["Healthy", "Provisioning works. There is nothing to do."],
  degraded: ["Degraded", "Provisioning works, and something needs your attention."],
  locked: ["Locked", "The bridge waits for somebody who brings a token."],
  down: ["Down", "Provisioning does not work."],
};

const PARTS = {
  SCIMServer: "SCIM server and its credentials",
  AccountService: "1Password account",
  StateStore: "State store",
  ConfirmationWatcher: "Confirmation",
  StartProvisionWatcher: "Noticing who has signed up",
  RemovalGuard: "Removal guard",
  HeldPeople: "Confirmation",
};

const partName = source => PARTS[source] ?? source;
const known = state => Object.hasOwn(VERDICTS, state) ? state : "down";

function open(details) {
  at("door").hidden = true;
  at("status").hidden = at("tools").hidden = false;
  at("details").hidden = !details;
}

function render() {
  open(true);
  const forPeople = seen.scope !== "monitor", forAdmin = seen.scope === "admin";
  for (const part of document.querySelectorAll("[data-for=provider]")) part.hidden = !forPeople;
  for (const part of document.querySelectorAll("[data-for=admin]")) part.hidden = !forAdmin;
  renderVerdict(known(seen.verdict), null, seen.matters ?? []);
  renderProblem();
  renderProvider();
  renderAccount();
  renderParts();
  renderCredentials();
  if (!forPeople) return;
  renderPeople();
  renderConfirmation();
  renderGuard();
  renderGroups();
  renderChecks();
  renderActivity();
}

function renderVerdict(verdict, text, matters) {
  const [word, says] = VERDICTS[verdict];
  const line = seen?.observing && verdict === "healthy" ? "The bridge observes only: it answers as if, and changes nothing." : text ?? says;
  at("hero").className = "hero is-" + verdict;
  put("hero-shape", verdict, shape(verdict));
  at("verdict").textContent = word;
  at("sentence").textContent = line;
  document.title = word + " · scim-bridge";
  put("matters", matters, matters.length ? el("ul", { class: "matters" }, matters.map(matter => el("li", {},
    shape(known(matter.state)),
    el("div", {},
      el("p", { class: "part" }, partName(matter.source)),
      el("p", { class: "what" }, sentence(matter.reason)),
      matter.remedy ? el("p", { class: "next" }, el("b", {}, "What to do: "), sentence(matter.remedy)) : null)))) : null);
  // Said aloud when it changes, not at every look.
  const aloud = [word + ".", line, ...matters.map(matter => sentence(matter.reason))].join(" ");
  if (at("announcer").textContent !== aloud) at("announcer").textContent = aloud;
}

function renderUnready(trouble) {
  open(false);
  at("trouble").hidden = true;
  renderVerdict("down", "The bridge answers, and is not ready.", [{ state: "down", source: "SCIMServer", reason: trouble.message, remedy: "" }]);
}

function renderProblem() {
  at("trouble").hidden = !problem || !seen;
  if (!problem || !seen) return;
  const text = `${problem.message} What you see is from ${short.format(seenAt)}. It is tried again by itself.`;
  if (at("trouble").textContent !== text) at("trouble").textContent = text;
  // What was seen is no verdict on what is.
  at("hero").className = "hero is-locked";
  put("hero-shape", "unknown", shape("locked"));
  at("verdict").textContent = "Not known";
  at("sentence").textContent = `It was last seen ${VERDICTS[known(seen.verdict)][0].toLowerCase()}.`;
  document.title = "Not known · scim-bridge";
}

function renderPeople() {
  const people = seen.people ?? { error: "it is not there" };
  if (people.error) return put("people", people, missing(people.error));
  const counts = [["Active", people.active], ["Invited", people.invited], ["Waiting to be confirmed", people.waiting], ["Suspended", people.suspended]];
  put("people", people, el("dl", { class: "counts" },
    counts.map(([name, count]) => el("div", {}, el("dt", {}, name), el("dd", {}, Number(count).toLocaleString())))));
}

const sweepState = () => seen.health?.activity?.sweep ?? {};

// Not every sweep is noted: those that bring nothing new come between.
function nextSweep() {
  const sweep = sweepState(), last = Date.parse(sweep.last), every = sweep.everySeconds * 1000;
  return last && every ? new Date(last + Math.max(1, Math.ceil((now() - last) / every)) * every).toISOString() : null;
}

function sweepFacts() {
  const sweep = sweepState(), next = nextSweep();
  return facts([
    ["Last noted sweep", sweep.last ? [moment(sweep.last), sweep.outcome === "failed" ? " · failed: " + (sweep.reason ?? "no reason is known") : ""] : "none is known yet"],
    ["Next sweep", next ? moment(next, "countdown") : null],
    ["Last confirmed", sweep.lastConfirmed ? moment(sweep.lastConfirmed) : null],
  ]);
}

function renderConfirmation() {
  const found = seen.confirmations ?? { error: "it is not there" };
  const value = [found, sweepState(), nextSweep()];
  if (found.error) return put("confirmation", value, sweepFacts(), el("div", { class: "gap" }, missing(found.error)));
  const all = found.open ?? [];
  const needs = all.filter(one => one.state === "held" || one.state === "rejected");
  const waits = all.filter(one => !needs.includes(one));
  put("confirmation", value,
    sweepFacts(),
    needs.length ? [el("h3", {}, `Kept out (${needs.length})`), el("ul", { class: "people" }, needs.map(held)), seen.scope === "admin" ? null : el("p", { class: "soft small" }, "To decide here, enter a token for administrators: scim-bridge token add --scope admin makes one.")] : null,
    waits.length ? [el("h3", {}, `Waiting (${waits.length})`), el("ul", { class: "people" }, waits.map(waiting))] : null,
    all.length ? null : el("p", { class: "nothing gap" }, "Nobody waits to be confirmed."),
    found.more ? el("p", { class: "nothing gap" }, "There are more: scim-bridge confirmations list shows all.") : null);
}

const called = person => person.email || person.id;

function held(person) {
  const release = person.releasable && seen.scope === "admin" ? el("button", { type: "button", class: "act", "data-key": "release-" + person.id, "aria-label": "Release " + called(person) }, "Release…") : null;
  release?.addEventListener("click", () => askRelease(person));
  return el("li", {},
    el("p", { class: "who" }, called(person), " ", badge("degraded", person.state)),
    el("p", { class: "more" }, sentence(person.why ?? "an administrator said no"), " Since ", moment(person.since), "."),
    person.remedy ? el("p", { class: "more" }, el("b", {}, "What to do: "), sentence(person.remedy)) : null,
    release);
}

function waiting(person) {
  return el("li", {},
    el("p", { class: "who" }, called(person)),
    el("p", { class: "until" }, person.state === "confirming" ? "being confirmed now" : ["confirmed ", person.due ? moment(person.due, "countdown") : "later"]),
    el("p", { class: "more" }, "Signed up ", moment(person.since), ".", person.why ? " " + sentence(person.why) : ""));
}

function renderProvider() {
  const provider = seen.health?.activity?.provider;
  const activity = seen.activity;
  const errors = activity?.errors ?? [];
  put("provider", [provider, activity, seen.scope],
    provider ? facts([
      ["Kind", provider.kind ?? "not recognised"],
      ["Token", provider.label],
      ["Last request", provider.lastRequest ? moment(provider.lastRequest) : "none yet"],
      ["Last change", provider.lastWrite ? moment(provider.lastWrite) : "none yet"],
    ]) : nothing("No request of a provider is known yet. Give it the tenant URL and the token, and test the connection there."),
    activity?.error ? el("div", { class: "gap" }, missing(activity.error)) : null,
    activity && !activity.error ? [
      el("h3", {}, errorsTitle(activity)),
      errors.length ? el("ul", { class: "errors" }, errors.slice(0, 5).map(problemLine)) : nothing("Everything that was asked for was done."),
    ] : null);
}

function errorsTitle(activity) {
  const hours = (now() - Date.parse(activity.since)) / 3_600_000;
  const window = hours > 20 ? "the last day" : hours > 0.5 ? "the last hour" : "the last five minutes";
  return `Refused or failed in ${window}: ${activity.cut ? "at least " : ""}${activity.errorCount ?? 0}`;
}

const requestId = line => line.requestId ?? line.request_id;

function problemLine(line) {
  return el("li", {},
    el("p", {}, el("b", {}, actionName(line.action)), " · ", moment(line.at)),
    el("p", {}, line.detail ?? line.target),
    line.detail && line.target ? el("p", { class: "soft" }, "About ", code(line.target)) : null,
    requestId(line) ? el("p", { class: "soft" }, "Request ", code(requestId(line))) : null);
}

// How a part is doing: what was seen just now, before what was noted earlier.
const asSeen = report => (seen.matters ?? []).find(matter => matter.source === report.source) ?? report;
const reports = () => (seen.health?.reports ?? []).map(asSeen);

function renderAccount() {
  const account = seen.health?.activity?.account ?? {}, state = reports().find(one => one.source === "AccountService");
  const verdict = known(state?.state);
  const says = { healthy: "The account lets the bridge in.", locked: "Nobody has brought a token yet.", degraded: "The account did not answer just now.", down: /cannot be reached|out of reach/.test(state?.reason) ? "The account cannot be reached." : "The account does not let the bridge in." };
  put("account", [account, state?.state, state?.reason],
    el("p", {}, badge(verdict, { healthy: "Signed in", locked: "Locked", degraded: "No answer", down: "Not signed in" }[verdict]), " ", says[verdict]),
    facts([
      ["Last signed in", account.lastSignedIn ? moment(account.lastSignedIn) : null],
      ["Last error", account.error ? sentence(account.error) : verdict !== "healthy" && state?.reason ? sentence(state.reason) : null],
      ["Since", account.error && account.since ? moment(account.since) : null],
    ]));
}

function renderGuard() {
  const guard = seen.guard ?? { error: "it is not there" };
  at("lift").hidden = Boolean(guard.error) || seen.scope !== "admin";
  if (guard.error) return put("guard", guard, missing(guard.error));
  const lifted = Boolean(guard.liftedUntil);
  at("lift").textContent = lifted ? "Put it up again…" : "Lift the guard…";
  const full = guard.limit > 0 ? Math.min(1, guard.removed / guard.limit) : 1;
  const bar = el("span");
  bar.style.width = Math.round(full * 100) + "%";
  const state = lifted || guard.refusedAt ? "degraded" : null;
  put("guard", guard,
    el("p", {}, el("span", { class: "large number" }, String(guard.removed)), ` of ${guard.limit} removals in the last hour`),
    el("div", { class: "meter" + (state ? " is-" + state : ""), role: "meter", "aria-label": "Removals in the last hour", "aria-valuemin": 0, "aria-valuemax": Math.max(guard.limit, guard.removed, 1), "aria-valuenow": guard.removed }, bar),
    el("div", { class: "notes small" },
      lifted ? el("p", {}, badge("degraded", "Lifted"), " Everything passes, and nothing counts. It stands again ", moment(guard.liftedUntil, "countdown"), ".") : null,
      guard.refusedAt && !lifted ? el("p", {}, badge("degraded", "Refused"), " Something was refused ", moment(guard.refusedAt), ".") : null,
      !lifted && !guard.refusedAt ? el("p", { class: "soft" }, "People who are suspended or deleted count. Above the limit the provider is asked to wait.") : null));
}

function renderGroups() {
  const groups = seen.groups ?? { error: "it is not there" };
  if (groups.error) return put("groups", groups, missing(groups.error));
  const managed = groups.managed ?? [], first = managed.slice(0, 8), rest = groups.total - first.length;
  put("groups", groups,
    managed.length ? el("ul", { class: "list" }, first.map(group => el("li", {}, el("span", { class: "grow" }, group.name), el("span", { class: "soft number" }, group.members === 1 ? "1 member" : group.members + " members")))) : nothing("No group is managed yet. Those that the provider makes are, and those that you choose."),
    rest > 0 && managed.length ? el("p", { class: "soft small" }, `and ${rest} more`) : null);
}

const ACTIONS = {
  "user.invite": "Invite a person", "user.change": "Change a person", "user.suspend": "Suspend a person",
  "user.reactivate": "Reactivate a person", "user.delete": "Delete a person", "user.confirm": "Confirm a person",
  "group.create": "Create a group", "group.rename": "Rename a group", "group.external-id": "Link a group",
  "group.members": "Change a group’s members", "group.delete": "Delete a group", "group.manage": "Manage a group",
  "group.unmanage": "Stop managing a group", "guard.lift": "Set the removal guard",
  "confirmation.release": "Release a person", "confirmation.reject": "Reject a person", "sweep.run": "Run a sweep",
};

const actionName = action => Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : action;

const OUTCOMES = { done: ["healthy", "done"], refused: ["degraded", "refused"], failed: ["down", "failed"] };

function renderActivity() {
  const activity = seen.activity ?? { error: "it is not there" };
  if (activity.error) return put("activity", activity, missing(activity.error));
  const lines = activity.lines ?? [];
  put("activity", activity, lines.length ? el("ol", { class: "log" }, lines.map(line => {
    const [state, word] = Object.hasOwn(OUTCOMES, line.outcome) ? OUTCOMES[line.outcome] : [null, String(line.outcome)];
    return el("li", {},
      el("span", { class: "soft small" }, moment(line.at)),
      el("div", { class: "what" },
        el("p", {}, actionName(line.action), line.detail ? " · " + line.detail : ""),
        el("p", { class: "from" }, "by ", line.actor, " on ", code(line.target), requestId(line) ? [", request ", code(requestId(line))] : null)),
      state ? badge(state, word) : plain(word));
  })) : nothing("Nothing was changed or refused within the last day."));
}

function renderParts() {
  const parts = reports();
  put("parts", parts.map(({ time, expires, ...rest }) => rest), el("ul", { class: "list" }, parts.map(one => el("li", {},
    el("div", { class: "grow" },
      el("p", {}, partName(one.source)),
      one.reason ? el("p", { class: "small soft" }, sentence(one.reason)) : null),
    el("span", {}, badge(known(one.state), VERDICTS[known(one.state)][0]))))));
}

const SCOPES = { scim: "provisioning", admin: "administration", monitor: "monitoring", sweep: "sweep key" };

function renderCredentials() {
  const health = seen.health ?? {}, credentials = health.credentials;
  put("credentials", [health.version, health.build, seen.platform, seen.token, credentials],
    facts([
      ["Version", [health.version ?? "unknown", health.build && health.build !== health.version ? ` (build ${health.build})` : ""]],
      ["Runs on", seen.platform],
      ["Your token", seen.token ?? (seen.scope === "monitor" ? "for monitoring only" : null)],
      ["Credentials", credentials ? code(credentials.place) : "none could be read yet"],
      ["Their version", credentials ? code(credentials.version) : null],
      ["Read", credentials ? moment(credentials.loadedAt) : null],
    ]),
    credentials?.recipients?.length ? [el("h3", {}, "Who can open them"), el("ul", { class: "list" }, credentials.recipients.map(one => el("li", {},
      el("div", { class: "grow" }, el("p", {}, one.label, " ", plain(SCOPES[one.scope] ?? one.scope)), el("p", { class: "small soft" }, "Key ", code(one.keyId))),
      el("span", { class: "small soft" }, one.endsAt ? [Date.parse(one.endsAt) < now() ? "ended " : "ends ", moment(one.endsAt)] : "no end"))))] : null);
}

let lastTest = null;

function renderChecks() {
  put("checks", lastTest, lastTest
    ? [el("p", { class: "small soft" }, "Tried ", moment(lastTest.at), "."), checkList(lastTest)]
    : nothing("Signs in to 1Password, reads the state store, and asks what Entra ID and Okta ask when they test a connection. Changes nothing."));
}

const checkList = test => el("ul", { class: "checks" }, test.checks.map(check => el("li", {},
  shape(check.ok ? "healthy" : "down"),
  el("span", {}, check.what, el("span", { class: "unseen" }, check.ok ? ": works" : ": does not work")),
  el("span", { class: "soft small number" }, check.ms === null ? "" : check.ms + " ms"),
  el("span", { class: "detail" }, check.ok ? check.detail : sentence(check.detail)))));

/* Questions: everything that does something is asked once more, and says what came of it */

function question({ title, text, go, field, act }) {
  const dialog = at("dialog");
  at("dialog-title").textContent = title;
  at("dialog-text").textContent = text;
  at("dialog-go").textContent = go;
  at("dialog-go").hidden = false;
  at("dialog-cancel").textContent = "Cancel";
  at("dialog-field").replaceChildren(...(field ? field.elements : []));
  outcome();
  dialog.act = async () => {
    const value = field?.read();
    if (value === null) return;
    at("dialog-go").disabled = at("dialog-cancel").disabled = true;
    at("dialog-go").textContent = "Working…";
    try {
      outcome(await act(value));
      at("dialog-field").replaceChildren();
      at("dialog-go").hidden = true;
      at("dialog-cancel").textContent = "Close";
      at("dialog-cancel").disabled = false;
      at("dialog-cancel").focus();
      refresh();
    } catch (error) {
      if (error instanceof Trouble && error.kind === "token") return forget(error.message);
      outcome([badge("down", "Not done"), " ", error instanceof Trouble ? error.message + again(error) : "This page failed."]);
    } finally {
      at("dialog-go").disabled = at("dialog-cancel").disabled = false;
      at("dialog-go").textContent = go;
    }
  };
  dialog.showModal();
  (field?.focus ?? at("dialog-cancel")).focus();
}

const outcome = children => at("dialog-outcome").replaceChildren(...[children ?? []].flat());

const done = text => [badge("healthy", "Done"), " " + text];

function askTest() {
  question({
    title: "Run the self-test?",
    text: "The bridge signs in to 1Password, reads its state store, and asks itself what providers ask. Nothing is changed.",
    go: "Run the self-test",
    act: async () => {
      const begun = Date.now();
      const test = await ask("self-test", "POST");
      const middle = (begun + Date.now()) / 2, off = Math.round((Date.parse(test.now) - middle) / 1000);
      const clocks = { what: "The clocks of the bridge and of this device agree", ok: Math.abs(off) <= 30, ms: null,
        detail: Math.abs(off) <= 1 ? "to the second" : `${Math.abs(off)} s apart: the bridge’s is ${off > 0 ? "ahead" : "behind"}` };
      lastTest = { at: test.now, checks: [...test.checks, clocks] };
      const bad = lastTest.checks.filter(check => !check.ok).length;
      return [el("p", {}, bad ? badge("down", `${bad} of ${lastTest.checks.length} failed`) : badge("healthy", "All works")), checkList(lastTest)];
    },
  });
}

function askSweep() {
  question({
    title: "Run a sweep now?",
    text: "Those whose waiting time is over are confirmed, as with every sweep. Nobody’s time is shortened.",
    go: "Run the sweep",
    act: async () => {
      const sweep = await ask("sweep", "POST");
      const parts = [["confirmed", sweep.confirmed], ["waiting", sweep.waiting], ["held", sweep.held], ["failed", sweep.failed], ["deleted for good", sweep.deleted]];
      const told = parts.filter(part => part[1] > 0).map(([name, count]) => `${count} ${name}`);
      return done((told.length ? "People: " + told.join(", ") + "." : "Nobody was waiting.") + (sweep.left ? " The time was up before everybody was looked at: the next sweep goes on." : ""));
    },
  });
}

function askRelease(person) {
  question({
    title: `Release ${called(person)}?`,
    text: `They are held because: ${sentence(person.why ?? "an administrator said no")} If you release them, the next sweep lets them into the account, with the key that was seen. Make sure that it is them.`,
    go: "Release",
    act: async () => {
      const released = await ask("release", "POST", { person: person.id });
      return done(`${called(released)} is released: the next sweep confirms them.`);
    },
  });
}

function askLift() {
  if (seen.guard?.liftedUntil) return question({
    title: "Put the guard up again?",
    text: "Removals count again, and those above the limit wait.",
    go: "Put it up",
    act: async () => (await ask("guard", "POST", { seconds: 0 }), done("The guard stands.")),
  });
  const select = el("select", { id: "lift-for" }, [["15 minutes", 900], ["1 hour", 3600], ["4 hours", 14400]].map(([name, seconds]) => el("option", { value: seconds }, name)));
  question({
    title: "Lift the removal guard?",
    text: "For that time the provider may remove as many people as it likes, and empty or delete large groups. Make sure at the provider that it is meant.",
    go: "Lift the guard",
    field: { elements: [el("label", { for: "lift-for" }, "For how long"), select], read: () => Number(select.value), focus: select },
    act: async seconds => {
      const { liftedUntil } = await ask("guard", "POST", { seconds });
      return done(`The guard is lifted until ${short.format(Date.parse(liftedUntil))}. The provider repeats by itself what was refused, or when it is told to.`);
    },
  });
}

function askManage() {
  const choices = el("datalist", { id: "groups-to-manage" });
  const input = el("input", { id: "group-name", list: "groups-to-manage", autocomplete: "off", spellcheck: "false" });
  question({
    title: "Manage a group?",
    text: "From then on the provider sees this group, and decides who is in it. Its members and vaults stay as they are now.",
    go: "Manage the group",
    field: {
      elements: [el("label", { for: "group-name" }, "The group’s name in 1Password"), input, choices],
      focus: input,
      read: () => {
        if (input.value.trim()) return input.value.trim();
        outcome("Enter the group’s name first.");
        input.focus();
        return null;
      },
    },
    act: async group => {
      const { groups } = await ask("groups", "POST", { group });
      return done(groups.map(one => `${one.name} (${one.members === 1 ? "1 member" : one.members + " members"})`).join(", ") + " is managed from now on.");
    },
  });
  // Names to choose from are a help; without them the name is typed.
  ask("groups").then(({ groups }) => choices.append(...groups.map(group => el("option", { value: group.name }))), () => {});
}

/* The page's life */

function tick() {
  if (token === null) return;
  for (const time of document.querySelectorAll("time[data-telling]")) tell(time);
  at("updated").textContent = asking ? "Asking the bridge…" : seen ? "Updated " + short.format(seenAt) : "Not ready";
  if (document.visibilityState === "visible" && !asking && Date.now() >= nextAt) refresh();
}

at("form").addEventListener("submit", event => {
  event.preventDefault();
  enter();
});
at("reveal").addEventListener("click", () => {
  const show = at("token").type === "password";
  at("token").type = show ? "text" : "password";
  at("reveal").textContent = show ? "Hide" : "Show";
  at("reveal").setAttribute("aria-pressed", String(show));
});
at("refresh").addEventListener("click", refresh);
at("forget").addEventListener("click", () => forget());
at("sweep").addEventListener("click", askSweep);
at("lift").addEventListener("click", askLift);
at("manage").addEventListener("click", askManage);
at("test").addEventListener("click", askTest);
at("dialog-form").addEventListener("submit", event => {
  event.preventDefault();
  if (!at("dialog-go").hidden && !at("dialog-go").disabled) at("dialog").act();
});
at("dialog-cancel").addEventListener("click", () => at("dialog").close());
// What has begun is waited for.
at("dialog").addEventListener("cancel", event => {
  if (at("dialog-cancel").disabled) event.preventDefault();
});
document.addEventListener("visibilitychange", tick);
// A page that is left may be kept by the browser as it is.
addEventListener("pagehide", () => forget());
setInterval(tick, 1000);
at("token").focus();
