//! A Slurm cluster of one machine for a test: munged, slurmctld and slurmd with a configuration, ports, socket and key of
//! their own, so that a Slurm of the system is neither needed nor disturbed. Where slurmdbd and MariaDB are installed it also
//! keeps accounts. All of it ends with the value.

use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The daemons and their folder.
pub struct Cluster {
    folder: tempfile::TempDir,
    daemons: Vec<(&'static str, Child)>,
    has_accounts: bool,
    _alone: MutexGuard<'static, ()>,
}

/// One cluster at a time: ports that are free now are free in a second, and tasks get their share of the processors.
static ALONE: Mutex<()> = Mutex::new(());

impl Cluster {
    /// Starts the daemons and waits until the node is ready.
    pub fn start(processors: usize) -> Self {
        for program in ["munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "sinfo"] {
            assert!(
                find(program).is_some(),
                "{program} is not installed, and this test runs a real Slurm: apt-get install slurm-wlm munge"
            );
        }
        let folder = tempfile::Builder::new().prefix("convstat-slurm-").tempdir_in("/tmp").unwrap();
        // munged wants a socket that all may reach, in a folder that its user alone may write.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let accounting = ["slurmdbd", "mariadbd", "mariadb-install-db"];
        let has_accounts = accounting.iter().all(|p| find(p).is_some());
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let mut cluster = Self { folder, daemons: Vec::new(), has_accounts, _alone: alone };
        let path = |name: &str| cluster.folder.path().join(name);
        for name in ["state", "spool"] {
            fs::create_dir(path(name)).unwrap();
        }
        let mut key = fs::File::create(path("munge.key")).unwrap();
        key.set_permissions(fs::Permissions::from_mode(0o600)).unwrap();
        key.write_all(&std::array::from_fn::<u8, 64, _>(|i| (i as u8).wrapping_mul(37))).unwrap();
        drop(key);
        let [controller, node, accounts, database] = free_ports();
        let mut text = configuration(cluster.folder.path(), processors, controller, node);
        if has_accounts {
            text += &accounting_configuration(cluster.folder.path(), accounts);
        }
        fs::write(path("slurm.conf"), text).unwrap();

        let at = |option: &str, name: &str| format!("{option}={}", path(name).display());
        let munged = [
            "--foreground".to_owned(),
            at("--socket", "munge.socket"),
            at("--key-file", "munge.key"),
            at("--pid-file", "munged.pid"),
            at("--seed-file", "munge.seed"),
            at("--log-file", "munged.log"),
        ];
        let socket = path("munge.socket");
        cluster.daemon("munged", &munged);
        wait("the socket of munged", 20, || socket.exists().then_some(()));
        if has_accounts {
            cluster.keep_accounts(accounts, database);
        } else {
            println!("slurmdbd and mariadb-server are not installed: what sacct says is not tested");
        }
        cluster.daemon("slurmctld", &["-D".to_owned()]);
        cluster.daemon("slurmd", &["-D".to_owned()]);
        let ready = || {
            let said = cluster.call("sinfo", &["--noheader", "--format=%T"]);
            (String::from_utf8_lossy(&said.stdout).trim() == "idle").then_some(())
        };
        let is_ready = poll(30, ready).is_some();
        assert!(is_ready, "Slurm did not start; user {}, its daemons say:\n{}", user(), cluster.logs());
        cluster
    }

    fn daemon(&mut self, program: &'static str, arguments: &[String]) {
        let log =
            |kind: &str| fs::File::create(self.folder.path().join(format!("{program}.{kind}"))).unwrap();
        let child = Command::new(find(program).unwrap())
            .args(arguments)
            .env("SLURM_CONF", self.configuration())
            .env("TMPDIR", self.folder.path())
            .stdin(Stdio::null())
            .stdout(log("out"))
            .stderr(log("err"))
            .spawn()
            .unwrap_or_else(|e| panic!("cannot start {program}: {e}"));
        self.daemons.push((program, child));
    }

    /// Starts a database and slurmdbd before it.
    fn keep_accounts(&mut self, port: u16, database: u16) {
        let (at, user) = (self.folder.path().display().to_string(), user());
        let data = format!("--datadir={at}/database");
        let made = self.call(
            "mariadb-install-db",
            &["--no-defaults", &data, "--skip-test-db", &format!("--user={user}")],
        );
        assert!(made.status.success(), "{made:?}");
        let mariadb = [
            "--no-defaults".to_owned(),
            data,
            format!("--socket={at}/database.socket"),
            format!("--port={database}"),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--user={user}"),
            "--skip-grant-tables".to_owned(),
            "--innodb-flush-log-at-trx-commit=0".to_owned(),
        ];
        self.daemon("mariadbd", &mariadb);
        wait("MariaDB", 30, || TcpStream::connect(("127.0.0.1", database)).ok());
        let text = format!(
            "AuthType=auth/munge\nAuthInfo=socket={at}/munge.socket\nDbdHost=localhost\nDbdAddr=127.0.0.1\nDbdPort={port}\n\
             SlurmUser={user}\nStorageType=accounting_storage/mysql\nStorageHost=127.0.0.1\nStoragePort={database}\n\
             StorageUser={user}\nStorageLoc=accounts\nPidFile={at}/slurmdbd.pid\nLogFile={at}/slurmdbd.log\n"
        );
        let path = self.folder.path().join("slurmdbd.conf");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        self.daemon("slurmdbd", &["-D".to_owned()]);
        wait("slurmdbd", 30, || TcpStream::connect(("127.0.0.1", port)).ok());
    }

    /// Whether sacct answers.
    pub fn has_accounts(&self) -> bool {
        self.has_accounts
    }

    /// The cluster's slurm.conf.
    pub fn configuration(&self) -> PathBuf {
        self.folder.path().join("slurm.conf")
    }

    /// A program that uses this cluster.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env("SLURM_CONF", self.configuration()).stdin(Stdio::null());
        command
    }

    /// Runs a program on this cluster.
    pub fn call(&self, program: &str, arguments: &[&str]) -> Output {
        self.command(program).args(arguments).output().unwrap()
    }

    /// The process of convstat in the task of an array, if it runs.
    pub fn task_process(&self, task: u64) -> Option<u32> {
        let wanted = format!("SLURM_ARRAY_TASK_ID={task}");
        self.processes().into_iter().find(|&pid| {
            let read = |name: &str| fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
            let has = |bytes: &[u8], text: &str| bytes.split(|&b| b == 0).any(|v| v == text.as_bytes());
            has(&read("environ"), &wanted) && has(&read("cmdline"), "--shard")
        })
    }

    /// Processes that this cluster, or a command on it, started.
    fn processes(&self) -> Vec<u32> {
        let mark = format!("SLURM_CONF={}", self.configuration().display());
        let entries = fs::read_dir("/proc").unwrap().flatten();
        entries
            .filter_map(|e| e.file_name().to_str()?.parse().ok())
            .filter(|pid: &u32| {
                let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
                environment.split(|&b| b == 0).any(|v| v == mark.as_bytes())
            })
            .collect()
    }

    /// Stops the controller where it is: it neither answers nor refuses.
    pub fn freeze_controller(&self) {
        let controller = self.daemons.iter().find(|(name, _)| *name == "slurmctld").unwrap();
        signal("STOP", &[controller.1.id()]);
    }

    /// What the daemons say.
    pub fn logs(&self) -> String {
        let names = ["munged.err", "slurmctld.err", "slurmd.err", "slurmdbd.err", "mariadbd.err"];
        let tail = |name: &str| {
            let text = fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            format!("== {name}\n{}\n", lines[lines.len().saturating_sub(15)..].join("\n"))
        };
        names.iter().map(|n| tail(n)).collect()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for (_, child) in self.daemons.iter_mut().rev() {
            let _ = child.kill();
            let _ = child.wait();
        }
        // Tasks, and the slurmstepd of each, which no daemon waits for.
        signal("KILL", &self.processes());
    }
}

/// Sends a signal; processes that are gone are none.
pub fn signal(name: &str, processes: &[u32]) {
    for pid in processes {
        let _ = Command::new("sh").args(["-c", &format!("kill -{name} {pid} 2>/dev/null")]).status();
    }
}

/// Asks until there is an answer, for at most `seconds`.
pub fn poll<T>(seconds: u64, ask: impl Fn() -> Option<T>) -> Option<T> {
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(seconds) {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    None
}

/// As [`poll`], and fails without an answer.
pub fn wait<T>(what: &str, seconds: u64, ask: impl Fn() -> Option<T>) -> T {
    poll(seconds, ask).unwrap_or_else(|| panic!("waited {seconds} s for {what}"))
}

/// Daemons are in folders that a user's PATH may lack.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    folders.map(|f| f.join(program)).find(|p| p.is_file())
}

fn output_of(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn user() -> String {
    output_of("id", &["-un"])
}

fn free_ports() -> [u16; 4] {
    // All held at once, so that they differ.
    let held: [TcpListener; 4] = std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    held.map(|l| l.local_addr().unwrap().port())
}

fn accounting_configuration(folder: &Path, port: u16) -> String {
    format!(
        "AccountingStorageType=accounting_storage/slurmdbd\nAccountingStorageHost=127.0.0.1\n\
         AccountingStoragePort={port}\nAccountingStoragePass={}/munge.socket\n",
        folder.display()
    )
}

fn configuration(folder: &Path, processors: usize, controller: u16, node: u16) -> String {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let host = host.trim().split('.').next().unwrap();
    let (user, at) = (user(), folder.display());
    // More processors than there may be (config_overrides): all shards run beside each other.
    format!(
        "ClusterName=convstat\nSlurmctldHost={host}(127.0.0.1)\nSlurmctldPort={controller}\nSlurmdPort={node}\n\
         SlurmUser={user}\nSlurmdUser={user}\nAuthType=auth/munge\nAuthInfo=socket={at}/munge.socket\n\
         ProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\nSelectType=select/cons_tres\n\
         SelectTypeParameters=CR_CPU\nReturnToService=2\nMpiDefault=none\nKillWait=5\n\
         SchedulerParameters=batch_sched_delay=0,sched_interval=2\nSlurmdParameters=config_overrides\n\
         StateSaveLocation={at}/state\nSlurmdSpoolDir={at}/spool\nSlurmctldPidFile={at}/slurmctld.pid\n\
         SlurmdPidFile={at}/slurmd.pid\nSlurmctldLogFile={at}/slurmctld.log\nSlurmdLogFile={at}/slurmd.log\n\
         NodeName={host} NodeAddr=127.0.0.1 CPUs={processors} RealMemory=20000 State=UNKNOWN\n\
         PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP\n"
    )
}
