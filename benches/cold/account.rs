//! The account: a server of its own, behind a way that takes as long as it is told to.

use std::{
    fs,
    net::Ipv4Addr,
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
};

use crate::{
    seen::{Exchange, Seen},
    support::process::{Process, free_port},
};

pub struct Account {
    pub scimsession: String,
    pub sweep_key: String,
    pub token: String,
    way: Way,
    _server: Process,
}

#[derive(Clone)]
struct Way {
    to: u16,
    /// Microseconds in each direction.
    delay: Arc<AtomicU64>,
    seen: Seen,
}

impl Account {
    /// A new account with its files in this directory. Its credentials lead to the way; the server
    /// stands at another port behind it.
    pub async fn start(program: &Path, dir: &Path, seen: &Seen) -> Self {
        let serve = || {
            let mut command = Command::new(program);
            command.env_clear().stderr(Stdio::null());
            command.args(["sandbox", "serve", "--dir"]).arg(dir);
            command
        };
        let (front, behind) = (free_port(), free_port());
        let file = dir.join("scimsession");
        let maker = Process::start(serve().env("SCIM_BRIDGE_SANDBOX_PORT", front.to_string()));
        // The last file of a new account.
        while !file.exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
        drop(maker);
        let read = |name: &str| {
            fs::read_to_string(dir.join(name))
                .unwrap()
                .trim()
                .to_owned()
        };
        let scimsession = read("scimsession");
        // The server listens where this says; it opens nothing of it.
        let address = |port: u16| format!("{}:{port}", Ipv4Addr::LOCALHOST);
        fs::write(
            &file,
            scimsession.replace(&address(front), &address(behind)),
        )
        .unwrap();
        let mut server = Process::start(&mut serve());
        server.until_listening(behind);

        let way = Way {
            to: behind,
            delay: Arc::default(),
            seen: seen.clone(),
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, front))
            .await
            .unwrap();
        tokio::spawn(way.clone().lead(listener));
        Self {
            scimsession,
            sweep_key: read("sweep-key"),
            token: read("bearer-token"),
            way,
            _server: server,
        }
    }

    /// From now on a request and its answer take this long together, beside what the server takes.
    pub fn set_round_trip(&self, time: Duration) {
        let each = u64::try_from(time.as_micros()).unwrap() / 2;
        self.way.delay.store(each, Ordering::Relaxed);
    }
}

impl Way {
    async fn lead(self, listener: TcpListener) {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            let way = self.clone();
            tokio::spawn(async move {
                let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, way.to)).await else {
                    return;
                };
                client.set_nodelay(true).unwrap();
                server.set_nodelay(true).unwrap();
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                // One request at a time: what comes back belongs to the last one.
                let last = Arc::new(AtomicUsize::new(usize::MAX));
                let there = Side {
                    way: way.clone(),
                    last: Arc::clone(&last),
                    to_account: true,
                };
                let back = Side {
                    way,
                    last,
                    to_account: false,
                };
                tokio::join!(
                    there.carry(from_client, to_server),
                    back.carry(from_server, to_client)
                );
            });
        }
    }
}

/// One direction of a connection.
#[derive(Clone)]
struct Side {
    way: Way,
    /// The exchange that is under way.
    last: Arc<AtomicUsize>,
    to_account: bool,
}

impl Side {
    async fn carry(self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let (put, mut parts) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
        let notes = self.clone();
        let reader = async move {
            let mut buffer = vec![0; 64 * 1024];
            while let Ok(size @ 1..) = from.read(&mut buffer).await {
                let now = Instant::now();
                notes.came(now, &buffer[..size]);
                let _ = put.send((now, buffer[..size].to_vec()));
            }
        };
        let writer = async move {
            while let Some((came, part)) = parts.recv().await {
                let delay = Duration::from_micros(self.way.delay.load(Ordering::Relaxed));
                if !delay.is_zero() {
                    tokio::time::sleep_until((came + delay).into()).await;
                }
                self.goes_on();
                if to.write_all(&part).await.is_err() {
                    return;
                }
            }
            let _ = to.shutdown().await;
        };
        tokio::join!(reader, writer);
    }

    fn came(&self, at: Instant, part: &[u8]) {
        let seen = &self.way.seen;
        match (self.to_account, path(part)) {
            (true, Some(path)) => {
                let place = seen.begin(Exchange::begin(path, at));
                self.last.store(place, Ordering::Relaxed);
            }
            // The rest of a request.
            (true, None) => {}
            (false, _) => seen.update(self.last.load(Ordering::Relaxed), |one| one.answered = at),
        }
    }

    fn goes_on(&self) {
        let now = Instant::now();
        let place = self.last.load(Ordering::Relaxed);
        self.way.seen.update(place, |one| match self.to_account {
            true => one.sent_on = now,
            false => one.delivered = now,
        });
    }
}

/// The path of a request, if one begins here.
fn path(part: &[u8]) -> Option<&str> {
    let line = part.split(|byte| *byte == b'\r').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    let path = target.split('?').next()?;
    let is_method = method.len() > 2 && method.bytes().all(|byte| byte.is_ascii_uppercase());
    (is_method && path.starts_with('/')).then_some(path)
}
