//! Where the servers that tests start are, and as whom they run.

use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// The folder of PostgreSQL's programs.
pub fn postgres() -> PathBuf {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .chain(std::env::var_os("PATH").iter().flat_map(std::env::split_paths))
        .filter(|bin| bin.join("initdb").exists() && bin.join("postgres").exists() && bin.join("pg_isready").exists())
        .collect();
    found.sort();
    found.pop().expect("these tests need PostgreSQL: sudo apt-get install postgresql")
}

/// PostgreSQL refuses to run as root: then it runs as the user and group that its package made.
pub fn postgres_user() -> Option<(u32, u32)> {
    let is_root = std::fs::metadata("/proc/self").expect("/proc is there").uid() == 0;
    is_root.then(|| {
        let users = std::fs::read_to_string("/etc/passwd").expect("the users are listed");
        let user = users.lines().find_map(|line| line.strip_prefix("postgres:")).expect("PostgreSQL has a user");
        let mut ids = user.split(':').skip(1).map_while(|id| id.parse().ok());
        ids.next().zip(ids.next()).expect("a user has an id and a group")
    })
}

/// The library that moves a program's clock.
pub fn faketime() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    let folders = folders.chain(["/usr/lib".into(), "/usr/local/lib".into()]);
    let mut found = folders.map(|folder| folder.join("faketime/libfaketimeMT.so.1"));
    found.find(|library| library.exists()).expect("these tests need faketime: sudo apt-get install faketime")
}

pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    listener.local_addr().expect("it is bound").port()
}
