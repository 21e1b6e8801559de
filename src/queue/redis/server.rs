//! Which Redis `queue.url` names, how it is connected to, and whether it will do.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use ::redis::aio::{ConnectionLike, MultiplexedConnection};
use ::redis::cluster::{ClusterClient, ClusterClientBuilder};
use ::redis::cluster_async::ClusterConnection;
use ::redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo, Pipeline,
    RedisError, RedisFuture, ServerErrorKind, Value, cmd,
};

use super::super::QueueError;

/// The oldest Redis with ZMSCORE (redis.io/docs/latest/commands/zmscore, 2026-11), users of their own (ACL), and scripts that
/// replicate by effect, which a script that asks for the time needs.
const OLDEST: (u32, u32) = (6, 2);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const FORMS: &str = "redis://host:6379, rediss://user:password@host:6379 (TLS), or redis+cluster://host:6379,host:6379 \
                     (rediss+cluster:// for TLS)";

/// One Redis, or the nodes by which a cluster is found.
#[derive(Clone)]
pub struct Server {
    nodes: Vec<ConnectionInfo>,
    cluster: bool,
    /// Hosts and ports, for messages.
    shown: String,
}

/// Shows no secret.
impl fmt::Debug for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl fmt::Display for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "redis at {}", self.shown)
    }
}

/// What a server says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    pub version: String,
    /// Masters of the cluster; 1 without one.
    pub masters: usize,
    /// Something that works and yet should be changed.
    pub advice: Option<String>,
}

impl Server {
    /// Reads a URL: `redis` or `rediss`, with `+cluster` for a cluster, whose nodes are separated by commas.
    pub fn parse(url: &str) -> Result<Server, QueueError> {
        let refused = |why: &str| QueueError(format!("the URL {why}; write {FORMS}"));
        let (scheme, rest) = url.split_once("://").ok_or_else(|| refused("has no scheme"))?;
        let (plain, cluster) = match scheme {
            "redis" | "rediss" => (scheme, false),
            "redis+cluster" => ("redis", true),
            "rediss+cluster" => ("rediss", true),
            _ => return Err(refused("has an unknown scheme")),
        };
        let (authority, path) = rest.find(['/', '?']).map_or((rest, ""), |at| rest.split_at(at));
        let (login, hosts) = authority.rfind('@').map_or(("", authority), |at| authority.split_at(at + 1));
        let hosts: Vec<&str> = hosts.split(',').collect();
        if hosts.len() > 1 && !cluster {
            return Err(refused("names several hosts, as only a cluster has"));
        }
        let nodes = hosts
            .iter()
            .map(|host| {
                if host.is_empty() {
                    return Err(refused("has no host"));
                }
                // The library's words could repeat the password.
                let node = format!("{plain}://{login}{host}{path}").into_connection_info();
                node.map_err(|_| refused(&format!("cannot be read at {host:?}")))
            })
            .collect::<Result<Vec<_>, _>>()?;
        if cluster && nodes.iter().any(|node| node.redis_settings().db() != 0) {
            return Err(refused("names a database number, which a cluster does not have"));
        }
        Ok(Server { nodes, cluster, shown: hosts.join(", ") })
    }

    pub fn is_cluster(&self) -> bool {
        self.cluster
    }

    /// A client of one node by turns, for what any node can do: publish and subscribe.
    pub fn any_node(&self, turn: usize) -> Result<Client, QueueError> {
        let node = &self.nodes[turn % self.nodes.len()];
        Client::open(node.clone()).map_err(|error| self.explain(&error))
    }

    /// Connects; an answer that takes longer than `patience` is an error.
    pub async fn connect(&self, patience: Duration) -> Result<Connection, QueueError> {
        let connected = match self.cluster {
            true => self.connect_cluster(patience).await.map(Connection::Cluster),
            false => self.connect_single(patience).await.map(Connection::Single),
        };
        connected.map_err(|error| self.explain(&error))
    }

    async fn connect_single(&self, patience: Duration) -> Result<MultiplexedConnection, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(patience));
        Client::open(self.nodes[0].clone())?.get_multiplexed_async_connection_with_config(&config).await
    }

    async fn connect_cluster(&self, patience: Duration) -> Result<ClusterConnection, RedisError> {
        let client: ClusterClient = ClusterClientBuilder::new(self.nodes.clone())
            .connection_timeout(CONNECT_TIMEOUT)
            .response_timeout(patience)
            // A script that may have run must not run again unseen; a moved slot is found by connecting again.
            .retries(0)
            .build()?;
        client.get_async_connection().await
    }

    /// Connects once and says whether this Redis will do.
    pub async fn probe(&self) -> Result<About, QueueError> {
        let mut connection = self.connect(CONNECT_TIMEOUT).await?;
        self.about(&mut connection).await
    }

    /// Refuses a server that is too old or takes no writes.
    pub(super) async fn about(&self, connection: &mut Connection) -> Result<About, QueueError> {
        let info: Value = match cmd("INFO").query_async(connection).await {
            Ok(info) => info,
            // A user without the right to ask is believed to have the right server.
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm) => Value::Nil,
            Err(error) => return Err(self.explain(&error)),
        };
        let mut texts = Vec::new();
        collect_texts(&info, &mut texts);
        let mut advice = None;
        for text in &texts {
            advice = advice.or(self.judge(text)?);
        }
        let version = texts.iter().find_map(|text| field(text, "redis_version")).unwrap_or("unknown").to_owned();
        let masters = match self.cluster {
            false => 1,
            true => {
                let slots: Value =
                    cmd("CLUSTER").arg("SLOTS").query_async(connection).await.map_err(|error| self.explain(&error))?;
                count_masters(&slots).max(1)
            }
        };
        Ok(About { version, masters, advice })
    }

    /// What the answer to INFO means for us: an error, or advice.
    fn judge(&self, info: &str) -> Result<Option<String>, QueueError> {
        if let Some(version) = field(info, "redis_version") {
            let mut parts = version.split('.').map_while(|part| part.parse().ok());
            let found = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
            if found < OLDEST {
                return Err(QueueError(format!(
                    "{self} is version {version}; {}.{} is the oldest that works: upgrade it",
                    OLDEST.0, OLDEST.1
                )));
            }
        }
        if field(info, "role") == Some("slave") {
            return Err(QueueError(format!(
                "{self} is a replica, which takes no writes: name its master in queue.url"
            )));
        }
        let policy = field(info, "maxmemory_policy").filter(|policy| policy.starts_with("allkeys"));
        Ok(policy.map(|policy| {
            format!(
                "{self} drops keys when its memory is full (maxmemory-policy {policy}): deliveries could be late by a \
                 minute; set it to noeviction"
            )
        }))
    }

    fn is_encrypted(&self) -> bool {
        self.nodes.iter().any(|node| matches!(node.addr(), ConnectionAddr::TcpTls { .. }))
    }

    /// What to do about a connection that is not made, where its words do not say so.
    fn hint(&self, error: &RedisError) -> &'static str {
        let error = error.to_string().to_lowercase();
        match self.is_encrypted() {
            true if error.contains("certificate") => {
                "; the server needs a certificate for its name, signed by an authority that this machine knows or that the \
                 file in SSL_CERT_FILE holds (a self-signed authority is no server's certificate)"
            }
            false if error.contains("reset") || error.contains("closed") || error.contains("eof") => {
                "; if it speaks TLS there, write rediss:// in queue.url"
            }
            _ => "",
        }
    }

    /// An error in words that name the server, the reason and the next step, and no secret.
    pub fn explain(&self, error: &RedisError) -> QueueError {
        let code = error.code().unwrap_or_default();
        let detail = error.detail().unwrap_or_default();
        let says = |what: &str| detail.contains(what) || code == what;
        QueueError(if error.kind() == ErrorKind::AuthenticationFailed || says("WRONGPASS") || says("NOAUTH") {
            format!("{self} refuses the user name or the password: correct them in queue.url")
        } else if error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm) {
            format!(
                "{self} does not let this user do what the queue needs: allow it ~{{m* &muhatap:* +@all -@admin +info"
            )
        } else if error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly) || says("READONLY") {
            format!("{self} is a read-only replica: name its master in queue.url")
        } else if says("OOM") {
            format!("{self} has no memory left: raise its maxmemory")
        } else if says("MISCONF") {
            format!("{self} takes no writes since it cannot save to its disk: repair that, or start it with --save ''")
        } else if error.kind() == ErrorKind::Server(ServerErrorKind::BusyLoading) {
            format!("{self} is still loading: it is asked again")
        } else if error.kind() == ErrorKind::Server(ServerErrorKind::ClusterDown) {
            format!("{self}: the cluster does not serve all slots: bring its masters back")
        } else if says("cluster support disabled") {
            format!("{self} is not a cluster: write redis:// in queue.url")
        } else if error.is_timeout() {
            let hint =
                if self.is_encrypted() { "; if it does not speak TLS there, write redis:// in queue.url" } else { "" };
            format!("{self} does not answer in time{hint}")
        } else if error.is_io_error() || error.kind() == ErrorKind::ClusterConnectionNotFound {
            format!("{self} cannot be reached: {error}{}", self.hint(error))
        } else {
            format!("{self} answers with an error: {error}")
        })
    }
}

/// A connection that many tasks may use at once.
#[derive(Clone)]
pub enum Connection {
    Single(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Single(connection) => connection.req_packed_command(cmd),
            Self::Cluster(connection) => connection.req_packed_command(cmd),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Single(connection) => connection.req_packed_commands(pipeline, offset, count),
            Self::Cluster(connection) => connection.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Single(connection) => connection.get_db(),
            Self::Cluster(connection) => connection.get_db(),
        }
    }
}

/// A line `name:value` of what INFO answers.
fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// Every text in an answer: a cluster gives one of each master.
fn collect_texts(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::BulkString(bytes) => texts.push(String::from_utf8_lossy(bytes).into_owned()),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => texts.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| collect_texts(item, texts)),
        Value::Map(items) => items.iter().for_each(|(_, item)| collect_texts(item, texts)),
        _ => {}
    }
}

/// Distinct masters in the answer to CLUSTER SLOTS: ranges, each with its master's address in the third place.
fn count_masters(slots: &Value) -> usize {
    let Value::Array(ranges) = slots else { return 0 };
    let masters: BTreeSet<String> = ranges
        .iter()
        .filter_map(|range| match range {
            Value::Array(parts) => match parts.get(2) {
                Some(Value::Array(master)) => Some(format!("{:?}", &master[..master.len().min(2)])),
                _ => None,
            },
            _ => None,
        })
        .collect();
    masters.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_and_secrets_never_shown() {
        let server = Server::parse("rediss+cluster://worker:s3cret@one:7000,two:7001").expect("it is right");
        assert_eq!((server.nodes.len(), server.is_cluster()), (2, true));
        assert_eq!(server.nodes[1].redis_settings().username(), Some("worker"));
        assert_eq!(format!("{server} {server:?}"), "redis at one:7000, two:7001 redis at one:7000, two:7001");
        for wrong in [
            "redis://:s3cret@",
            "redis://:s3cret@host:port",
            "redis://:s3cret@a,b",
            "redis+cluster://:s3cret@a,b/3",
            "kafka://:s3cret@a",
            "s3cret",
            "redis://:s3cret@host/x",
        ] {
            let error = Server::parse(wrong).expect_err(wrong).to_string();
            assert!(!error.contains("s3cret") && error.contains("redis+cluster://"), "{error}");
        }
    }

    #[test]
    fn a_server_that_will_not_do_is_named_with_the_next_step() {
        let server = Server::parse("redis://host").expect("it is right");
        let old = server.judge("redis_version:5.0.14\r\nrole:master\r\n").expect_err("too old");
        assert_eq!(old.0, "redis at host is version 5.0.14; 6.2 is the oldest that works: upgrade it");
        let replica = server.judge("redis_version:7.0.15\r\nrole:slave\r\n").expect_err("a replica");
        assert!(replica.0.contains("name its master"), "{replica}");
        let forgetful = server.judge("redis_version:7.4.0\r\nrole:master\r\nmaxmemory_policy:allkeys-lru\r\n");
        assert!(forgetful.expect("it works").expect("with advice").contains("noeviction"));
        assert_eq!(server.judge("redis_version:8.0\r\nrole:master\r\nmaxmemory_policy:noeviction"), Ok(None));
    }
}
