//! One writer for all deliveries of a process: what workers ask for while a commit is on its way goes into the next one.
//!
//! A commit that survives power loss costs the disk's time, whatever is in it; where the database can, another one is
//! made meanwhile. Each caller gets its answer after the commit. Where the group as a whole fails over one of its members, each is written alone, so that a guard that one
//! violates keeps back nobody else.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use jiff::Timestamp;
use sqlx::AnyPool;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinError, JoinSet};
use tracing::{error, warn};

use super::attempts::{Finish, Mark, Marking, Take, Turn, apply_all, mark_all, take_all};
use super::high_water::HighWater;
use super::open::DatabaseFile;
use super::{Engine, StoreError, Tx};

/// Who comes when so many wait already, waits for room.
const WAITING: usize = 1024;
/// Members of one commit.
const MEMBERS: usize = 256;

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// What somebody wants to be written.
enum Job {
    Take(Take, Reply<Turn>),
    Mark(Mark, Reply<Option<i64>>),
    Finish(Box<Finish>, Reply<bool>),
}

impl Job {
    fn lane(&self) -> &str {
        match self {
            Self::Take(take, _) => &take.lane,
            Self::Mark(mark, _) => &mark.lane,
            Self::Finish(finish, _) => &finish.work.lane,
        }
    }

    /// Nobody waits for it any more, and nothing is lost without it. How a call ended is written all the same.
    fn is_idle(&self) -> bool {
        match self {
            Self::Take(_, reply) => reply.is_closed(),
            Self::Mark(_, reply) => reply.is_closed(),
            Self::Finish(..) => false,
        }
    }

    fn fail(self, error: StoreError) {
        // A caller that is gone needs no answer.
        match self {
            Self::Take(_, reply) => _ = reply.send(Err(error)),
            Self::Mark(_, reply) => _ = reply.send(Err(error)),
            Self::Finish(_, reply) => _ = reply.send(Err(error)),
        }
    }
}

/// The way to the writer, which ends when the last of these is dropped.
pub(super) struct Group {
    jobs: mpsc::Sender<Job>,
    writing: Writing,
}

impl Group {
    /// Starts the writer on `pool`.
    pub(super) fn start(pool: AnyPool, engine: Engine, file: Option<Arc<DatabaseFile>>) -> Group {
        let (jobs, waiting) = mpsc::channel(WAITING);
        let writing = Writing { pool, engine, file, high_water: Arc::default() };
        tokio::spawn(Writer { writing: writing.clone(), waiting, next: None, busy: HashSet::new() }.run());
        Group { jobs, writing }
    }

    pub(super) fn high_water(&self) -> &HighWater {
        &self.writing.high_water
    }

    /// As what the writer begins.
    pub(super) async fn begin(&self, now: Timestamp) -> Result<Tx, StoreError> {
        self.writing.begin(Some(now)).await
    }

    /// Lets the commit on its way end; whoever comes later is told that the database is closed.
    pub(super) async fn close(&self) {
        self.writing.pool.close().await;
    }

    pub(super) async fn take(&self, take: Take) -> Result<Turn, StoreError> {
        self.ask(|reply| Job::Take(take, reply)).await
    }

    /// The new epoch, if the delivery may be called for.
    pub(super) async fn mark(&self, mark: Mark) -> Result<Option<i64>, StoreError> {
        self.ask(|reply| Job::Mark(mark, reply)).await
    }

    pub(super) async fn finish(&self, finish: Finish) -> Result<bool, StoreError> {
        self.ask(|reply| Job::Finish(Box::new(finish), reply)).await
    }

    async fn ask<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, StoreError> {
        let gone = || StoreError::Busy("the writer of deliveries failed (see the log); it is tried again".into());
        let (reply, answer) = oneshot::channel();
        self.jobs.send(job(reply)).await.map_err(|_| gone())?;
        answer.await.unwrap_or_else(|_| Err(gone()))
    }
}

struct Writer {
    writing: Writing,
    waiting: mpsc::Receiver<Job>,
    /// Belongs into the group after the present one.
    next: Option<Job>,
    /// Lanes of the groups on their way: what comes for one of them meanwhile is written after it.
    busy: HashSet<String>,
}

impl Writer {
    async fn run(mut self) {
        let connections = self.writing.pool.options().get_max_connections() as usize;
        let mut on_their_way = JoinSet::new();
        loop {
            let is_next_busy = self.next.as_ref().is_some_and(|job| self.busy.contains(job.lane()));
            if on_their_way.len() >= connections || is_next_busy {
                // Whoever comes while all are busy waits, for the next group.
                self.end(on_their_way.join_next().await);
                continue;
            }
            let Some(members) = self.gather().await else { break };
            while let Some(ended) = on_their_way.try_join_next() {
                self.end(Some(ended));
            }
            if members.is_empty() {
                continue;
            }
            let lanes: Vec<String> = members.iter().map(|job| job.lane().to_owned()).collect();
            self.busy.extend(lanes.iter().cloned());
            let group = self.writing.clone();
            on_their_way.spawn(async move {
                if AssertUnwindSafe(group.write(members)).catch_unwind().await.is_err() {
                    error!(
                        "writing deliveries panicked: please report it; what was to be written is tried again or verified"
                    );
                }
                lanes
            });
        }
        on_their_way.join_all().await;
    }

    /// The lanes of a group that is written are free again.
    fn end(&mut self, ended: Option<Result<Vec<String>, JoinError>>) {
        // None is aborted, and each answers for its panics.
        for lane in ended.and_then(Result::ok).unwrap_or_default() {
            self.busy.remove(&lane);
        }
    }

    /// Everybody who waits, each lane once: the order within a lane is the order of coming. Nobody, where a lane that is
    /// on its way comes first. `None`: nobody is left.
    async fn gather(&mut self) -> Option<Vec<Job>> {
        let mut first = match self.next.take() {
            Some(job) => Some(job),
            None => Some(self.waiting.recv().await?),
        };
        let mut lanes = HashSet::new();
        let mut members = Vec::new();
        while members.len() < MEMBERS
            && let Some(job) = first.take().or_else(|| self.waiting.try_recv().ok())
        {
            if self.busy.contains(job.lane()) || !lanes.insert(job.lane().to_owned()) {
                self.next = Some(job);
                break;
            }
            members.push(job);
        }
        members.retain(|job| !job.is_idle());
        // Every process locks in the same order, so that none waits for the other in a circle.
        members.sort_by(|one, other| one.lane().cmp(other.lane()));
        Some(members)
    }
}

/// The writing of one group.
#[derive(Clone)]
struct Writing {
    pool: AnyPool,
    engine: Engine,
    file: Option<Arc<DatabaseFile>>,
    high_water: Arc<HighWater>,
}

impl Writing {
    async fn write(&self, members: Vec<Job>) {
        let mut members = Members::of(members);
        let mut written = self.commit(&mut members).await;
        if matches!(written, Err(StoreError::Busy(_))) {
            // The loser of a deadlock, or a server that was restarted.
            written = self.commit(&mut members).await;
        }
        match written {
            Ok(answers) => members.answer(answers),
            Err(error) if members.len() > 1 && error.is_about_a_statement() => {
                warn!(%error, members = members.len(), "deliveries are written one by one: one of them cannot be");
                for job in members.apart() {
                    let mut alone = Members::of(vec![job]);
                    match self.commit(&mut alone).await {
                        Ok(answers) => alone.answer(answers),
                        Err(error) => alone.fail(error),
                    }
                }
            }
            Err(error) => members.fail(error),
        }
    }

    /// A transaction that begins something at `now`, or only writes down how something ended.
    async fn begin(&self, now: Option<Timestamp>) -> Result<Tx, StoreError> {
        if let Some(file) = &self.file {
            file.check()?;
        }
        match now {
            Some(now) => self.high_water.begin(&self.pool, self.engine, now).await,
            None => Tx::begin(&self.pool, self.engine).await,
        }
    }

    /// Where the commit itself fails, it may have been made all the same: those who take lanes are not members any more
    /// then, since a second time would find their lanes locked by themselves.
    async fn commit(&self, members: &mut Members) -> Result<Answers, StoreError> {
        let mut tx = self.begin(members.now()).await?;
        let answers = Answers {
            finished: apply_all(&mut tx, &members.finishes).await?,
            marked: mark_all(&mut tx, &members.marks).await?,
            turns: take_all(&mut tx, &members.takes).await?,
        };
        match tx.commit().await {
            Ok(()) => {
                self.high_water.note(members.last_marked(&answers));
                Ok(answers)
            }
            Err(error) => {
                members.answer_unsure(answers.turns, &error);
                Err(error)
            }
        }
    }
}

/// The members of one commit by kind, each kind with those who wait for its answers, in the same order.
#[derive(Default)]
struct Members {
    takes: Vec<Take>,
    takers: Vec<Reply<Turn>>,
    marks: Vec<Mark>,
    markers: Vec<Reply<Option<i64>>>,
    finishes: Vec<Finish>,
    finishers: Vec<Reply<bool>>,
}

struct Answers {
    turns: Vec<Turn>,
    marked: Vec<Option<i64>>,
    finished: Vec<bool>,
}

impl Members {
    fn of(jobs: Vec<Job>) -> Members {
        let mut members = Members::default();
        for job in jobs {
            match job {
                Job::Take(take, reply) => {
                    members.takes.push(take);
                    members.takers.push(reply);
                }
                Job::Mark(mark, reply) => {
                    members.marks.push(mark);
                    members.markers.push(reply);
                }
                Job::Finish(finish, reply) => {
                    members.finishes.push(*finish);
                    members.finishers.push(reply);
                }
            }
        }
        members
    }

    /// When the first of those asked who begin something.
    fn now(&self) -> Option<Timestamp> {
        self.takes.first().map(|take| take.now).or_else(|| self.marks.first().map(|mark| mark.now))
    }

    /// Of what is out for good once it is called for.
    fn last_marked(&self, answers: &Answers) -> Option<Marking> {
        let called = answers.turns.iter().rev().find_map(|turn| match turn {
            Turn::Call(marked) if !marked.work.action.is_told() => Some(Marking::of(&marked.work)),
            _ => None,
        });
        called.or_else(|| {
            let marked = self.marks.iter().zip(&answers.marked).rev();
            let lasting = marked.filter(|(mark, _)| !mark.action.is_told());
            lasting.filter_map(|(mark, epoch)| Some(Marking { id: mark.id, epoch: (*epoch)?, at: mark.now })).next()
        })
    }

    fn len(&self) -> usize {
        self.takes.len() + self.marks.len() + self.finishes.len()
    }

    fn apart(self) -> impl Iterator<Item = Job> {
        let takes = self.takes.into_iter().zip(self.takers);
        let marks = self.marks.into_iter().zip(self.markers);
        let finishes = self.finishes.into_iter().zip(self.finishers);
        let takes = takes.map(|(take, reply)| Job::Take(take, reply));
        let marks = marks.map(|(mark, reply)| Job::Mark(mark, reply));
        let finishes = finishes.map(|(finish, reply)| Job::Finish(Box::new(finish), reply));
        finishes.chain(marks).chain(takes)
    }

    /// One alone gets the error itself.
    fn fail(self, error: StoreError) {
        let (alone, mut error) = (self.len() == 1, Some(error));
        for job in self.apart() {
            let error = if alone { error.take() } else { error.as_ref().map(StoreError::for_another) };
            if let Some(error) = error {
                job.fail(error);
            }
        }
    }

    /// Whoever may call at once must look first whether it stands; what others have to do is asked of the database again
    /// before it counts.
    fn answer_unsure(&mut self, turns: Vec<Turn>, error: &StoreError) {
        self.takes.clear();
        for (taker, turn) in self.takers.drain(..).zip(turns) {
            // A caller that is gone needs none.
            let _ = taker.send(match turn {
                Turn::Call(marked) => Ok(Turn::Unsure(marked, error.for_another())),
                turn @ (Turn::Send(_) | Turn::Verify(_)) => Ok(turn),
                _ => Err(error.for_another()),
            });
        }
    }

    fn answer(self, answers: Answers) {
        send(self.takers, answers.turns);
        send(self.markers, answers.marked);
        send(self.finishers, answers.finished);
    }
}

/// A caller that is gone needs none.
fn send<T>(waiting: Vec<Reply<T>>, answers: Vec<T>) {
    for (reply, answer) in waiting.into_iter().zip(answers) {
        let _ = reply.send(Ok(answer));
    }
}
