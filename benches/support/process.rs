//! A program under measurement, and what the kernel says of it.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A running program, ended when dropped.
pub struct Process(Child);

impl Process {
    /// Starts it without input; what it says on standard output goes nowhere.
    pub fn start(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::null()).stdout(Stdio::null());
        Self(command.spawn().expect("the program starts"))
    }

    /// Its id.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Processor time of all its threads by now, living and gone, in user and kernel mode. The
    /// kernel counts in hundredths of a second.
    pub fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id())).unwrap();
        // The name in parentheses may hold blanks; what follows it does not.
        let fields: Vec<&str> = stat
            .rsplit_once(')')
            .unwrap()
            .1
            .split_whitespace()
            .collect();
        let ticks = |index: usize| fields[index].parse::<u64>().unwrap();
        Duration::from_millis(10 * (ticks(11) + ticks(12)))
    }

    /// Processor time of its threads that live, to the nanosecond: for a process that is too short
    /// for hundredths of a second.
    pub fn cpu_of_living_threads(&self) -> Duration {
        let threads = fs::read_dir(format!("/proc/{}/task", self.id())).unwrap();
        threads
            .map(|thread| cpu_of_thread(&thread.unwrap().path()))
            .sum()
    }

    /// Memory that it holds now, in KiB.
    pub fn memory(&self) -> u64 {
        self.status("VmRSS")
    }

    /// The most memory that it has held, in KiB.
    pub fn peak_memory(&self) -> u64 {
        self.status("VmHWM")
    }

    fn status(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Waits until something listens at this port of loopback.
    pub fn until_listening(&mut self, port: u16) {
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if let Some(status) = self.0.try_wait().unwrap() {
                panic!("the program ended before it listened: {status}");
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "nobody listens");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Processor time of this thread, to the nanosecond.
pub fn cpu_of_this_thread() -> Duration {
    cpu_of_thread(Path::new("/proc/thread-self"))
}

fn cpu_of_thread(path: &Path) -> Duration {
    // A thread that has ended meanwhile counts for nothing.
    let text = fs::read_to_string(path.join("schedstat")).unwrap_or_default();
    let nanoseconds = text.split(' ').next().unwrap_or_default();
    Duration::from_nanos(nanoseconds.parse().unwrap_or_default())
}

/// A port of loopback that is free now.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
