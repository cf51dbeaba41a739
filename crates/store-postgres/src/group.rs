//! Verbs of many callers in one commit: what waits while a commit is under way goes into the next one, so that load makes batches and nobody waits for
//! a batch to fill. The work goes on when a caller stops waiting.

use std::convert::Infallible;
use std::sync::Arc;

use parking_lot::Mutex;
use tidings_runtime::{Clock, OnError, Stopwatch, TaskSet, within};
use tidings_store::StoreError;
use tokio::sync::{mpsc, oneshot};

use crate::fault::{Fault, Outcome};
use crate::pool::{Held, Pool, VERB, closed};
use crate::store::{CommitFigures, PostgresOptions};
use crate::writing::Writing;

/// Verbs that can wait; beyond them callers wait for room.
const QUEUE: usize = 1_024;
/// Verbs that share one commit at most: bounds how long the first of them waits for the last.
const BATCH: usize = 256;

/// A kind of verb that is done for many callers at once.
pub(crate) trait Batch: Send + Sync + 'static {
    /// What one caller asks for.
    type Ask: Send + Sync;
    /// What that caller is answered.
    type Answer: Send;
    /// What its tasks are called.
    const NAME: &'static str;
    /// Commits that are under way at once.
    const LANES: usize;
    /// No more is taken into a commit that has as much as this already.
    const SIZE_MAX: usize;

    /// How much it adds to a commit.
    fn size(ask: &Self::Ask) -> usize;
    /// Does all of it in one transaction, or nothing. Answers in the order of the asks.
    fn commit(held: &mut Held, asked: &[Self::Ask]) -> impl Future<Output = Outcome<Vec<Self::Answer>>> + Send;
}

type Reply<B> = oneshot::Sender<Result<<B as Batch>::Answer, StoreError>>;
type Caller<B> = (<B as Batch>::Ask, Reply<B>);
type Queue<B> = mpsc::Receiver<Caller<B>>;

/// Where callers queue.
pub(crate) struct Group<B: Batch>(Mutex<Option<mpsc::Sender<Caller<B>>>>);

impl<B: Batch> Group<B> {
    /// Starts the tasks that serve the queue. They end when it is closed and empty.
    pub(crate) fn start(tasks: &TaskSet, pool: &Arc<Pool>, writing: &Arc<Writing>, options: &PostgresOptions) -> Self {
        let (sender, queue) = mpsc::channel(QUEUE);
        let queue = Arc::new(tokio::sync::Mutex::new(queue));
        for _ in 0..B::LANES {
            let lane = Lane::<B> {
                queue: Arc::clone(&queue),
                pool: Arc::clone(pool),
                writing: Arc::clone(writing),
                options: options.clone(),
            };
            tasks.spawn(B::NAME, OnError::Log, async move {
                lane.serve().await;
                Ok::<_, Infallible>(())
            });
        }
        Self(Mutex::new(Some(sender)))
    }

    /// Asks, and waits for the answer: it is durable then.
    pub(crate) async fn ask(&self, ask: B::Ask) -> Result<B::Answer, StoreError> {
        let queue = self.0.lock().clone().ok_or_else(closed)?;
        let (reply, answer) = oneshot::channel();
        queue.send((ask, reply)).await.map_err(|_| closed())?;
        drop(queue); // the tasks end when nobody can reach them any more
        answer.await.map_err(|_| closed())?
    }

    /// Takes nothing new.
    pub(crate) fn close(&self) {
        self.0.lock().take();
    }
}

impl<B: Batch> std::fmt::Debug for Group<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Group").field(&B::NAME).finish()
    }
}

/// One task of a queue.
struct Lane<B: Batch> {
    queue: Arc<tokio::sync::Mutex<Queue<B>>>,
    pool: Arc<Pool>,
    writing: Arc<Writing>,
    options: PostgresOptions,
}

impl<B: Batch> Lane<B> {
    async fn serve(self) {
        loop {
            let (asked, replies) = self.gather().await;
            if asked.is_empty() {
                return;
            }
            self.work(asked, replies).await;
        }
    }

    /// Waits for somebody, and takes those along who wait behind. Nobody: the queue was closed.
    async fn gather(&self) -> (Vec<B::Ask>, Vec<Reply<B>>) {
        let mut queue = self.queue.lock().await;
        let (mut asked, mut replies, mut size) = (Vec::new(), Vec::new(), 0);
        let mut next = queue.recv().await;
        while let Some((ask, reply)) = next {
            size += B::size(&ask);
            asked.push(ask);
            replies.push(reply);
            let full = asked.len() >= BATCH || size >= B::SIZE_MAX;
            next = if full { None } else { queue.try_recv().ok() };
        }
        (asked, replies)
    }

    /// Commits what was asked, and answers. When one of it is refused, the rest is done again, each in a transaction of its own; when the server is busy
    /// or the connection broke, that would take as many times as long, or do twice what was done.
    async fn work(&self, asked: Vec<B::Ask>, replies: Vec<Reply<B>>) {
        match self.commit(&asked).await {
            Ok(answers) => {
                for (reply, answer) in replies.into_iter().zip(answers) {
                    let _ = reply.send(Ok(answer)); // a caller that is gone needs no answer
                }
            }
            Err(fault) if asked.len() > 1 && fault.is_refusal() => {
                for (ask, reply) in asked.iter().zip(replies) {
                    let done = self.commit(std::slice::from_ref(ask)).await;
                    let answer =
                        done.and_then(|answers| answers.into_iter().next().ok_or_else(|| Fault::Away("no answer came".to_owned())));
                    let _ = reply.send(answer.map_err(StoreError::from));
                }
            }
            Err(fault) => {
                let error = StoreError::from(fault);
                tracing::debug!(%error, verbs = asked.len(), "{}: a commit failed", B::NAME);
                for reply in replies {
                    let _ = reply.send(Err(error.clone()));
                }
            }
        }
    }

    async fn commit(&self, asked: &[B::Ask]) -> Outcome<Vec<B::Answer>> {
        let done = self.try_to_commit(asked).await;
        self.writing.note(done)
    }

    async fn try_to_commit(&self, asked: &[B::Ask]) -> Outcome<Vec<B::Answer>> {
        let clock: &dyn Clock = &*self.options.clock;
        let mut held = self.pool.take().await?;
        let watch = Stopwatch::start(clock);
        let done = within(clock, VERB, B::commit(&mut held, asked)).await;
        let answers = held.finish(done)?;
        if let Some(tell) = &self.options.on_commit {
            tell(CommitFigures {
                verbs: asked.len(),
                duration_us: watch.elapsed_us(clock),
            });
        }
        Ok(answers)
    }
}
