//! Others' code over others' data: a chat template, a tokenizer, a Parquet reader. It may panic, take all memory or never
//! end; here it can do none of these to the process.
//!
//! A job runs on a thread of its own, under a budget of memory and time. Past its budget the thread is left standing still
//! with what it holds, and its caller gets an error; nothing that it shared is touched again. A recursion
//! that takes or gives back memory on its way ends as one past its budget of memory does.

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError, mpsc};
use std::time::{Duration, Instant};

use crate::allocator::{Watch, with_budget};
use crate::escape::foreign;

/// Threads that wait for the next job.
const MAX_IDLE: usize = 4;
/// Stack that a job may use: parsers, compilers and destructors of others recurse as deep as a text of a mebibyte nests.
const MAX_DEPTH: usize = 256 << 20;
/// Stack that it has, address space that costs nothing before it is touched: the depth is looked at only when memory is
/// taken or given back, and there may be many calls between.
const STACK_BYTES: usize = 1 << 30;

/// What a job may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Bytes, net of what it frees.
    pub memory: usize,
    /// Time until its caller gives up.
    pub time: Duration,
}

/// How a job ended without an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Breach {
    /// It wanted more bytes than these.
    Memory(usize),
    /// It took longer than this.
    Time(Duration),
    /// It recurses deeper than a stack should be.
    Nesting,
    /// It panicked, with these words.
    Panic(String),
    /// The system has no thread for it.
    NoThread(String),
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory(bytes) => write!(f, "it wants more than {} MiB of memory", bytes >> 20),
            Self::Time(time) => write!(f, "it takes longer than {} s", time.as_secs_f32()),
            Self::Nesting => write!(f, "it is nested too deeply, or without end"),
            Self::Panic(words) => write!(f, "it panics: {}", foreign(words)),
            Self::NoThread(error) => write!(f, "it can't be given a thread: {error}"),
        }
    }
}

impl std::error::Error for Breach {}

type Job = Box<dyn FnOnce() + Send>;

/// Threads whose last job ended well.
static IDLE: Mutex<Vec<mpsc::Sender<Job>>> = Mutex::new(Vec::new());

thread_local! {
    /// True while a panic of this thread is an answer rather than news.
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Runs `job` under `budget` on another thread and waits for it. Threads are kept for the next job: a call costs some ten
/// microseconds.
///
/// # Errors
/// The job panicked or broke its budget, or there is no thread for it.
pub fn run<T: Send + 'static>(budget: Budget, job: impl FnOnce() -> T + Send + 'static) -> Result<T, Breach> {
    let watch = Watch::new();
    let answer: Arc<Mutex<Option<Result<T, Breach>>>> = Arc::default();
    let worker = match lock(&IDLE).pop() {
        Some(worker) => worker,
        None => spawn().map_err(|error| Breach::NoThread(error.to_string()))?,
    };
    let sent = worker.send({
        let (watch, answer) = (Arc::clone(&watch), Arc::clone(&answer));
        Box::new(move || {
            let outcome = catch_panic(|| with_budget(budget.memory, MAX_DEPTH, &watch, job));
            *lock(&answer) = Some(outcome);
            watch.wake();
        })
    });
    sent.map_err(|_| Breach::NoThread("it ended".to_owned()))?;
    let begin = Instant::now();
    loop {
        if let Some(answer) = lock(&answer).take() {
            let mut idle = lock(&IDLE);
            if idle.len() < MAX_IDLE {
                idle.push(worker);
            }
            return answer;
        }
        if watch.overdrawn.load(Ordering::Acquire) {
            return Err(match watch.too_deep.load(Ordering::Relaxed) {
                true => Breach::Nesting,
                false => Breach::Memory(budget.memory),
            });
        }
        match budget.time.checked_sub(begin.elapsed()) {
            Some(left) if !left.is_zero() => std::thread::park_timeout(left),
            _ => {
                watch.abandoned.store(true, Ordering::Relaxed);
                return Err(Breach::Time(budget.time));
            }
        }
    }
}

/// Runs `job` here; a panic becomes an error and is not printed. For what can do no more harm than that.
///
/// # Errors
/// The job panicked.
pub fn catch_panic<T>(job: impl FnOnce() -> T) -> Result<T, Breach> {
    quiet_panics();
    let outer = IS_QUIET.replace(true);
    let outcome = catch_unwind(AssertUnwindSafe(job));
    IS_QUIET.set(outer);
    outcome.map_err(|payload| Breach::Panic(words(payload.as_ref())))
}

/// Keeps panics that are caught off standard error; all others are told as before.
fn quiet_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let tell = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !IS_QUIET.get() {
                tell(info);
            }
        }));
    });
}

fn words(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("without a word").to_owned()
}

fn spawn() -> std::io::Result<mpsc::Sender<Job>> {
    let (sender, jobs) = mpsc::channel::<Job>();
    let builder = std::thread::Builder::new().name("contained".to_owned()).stack_size(STACK_BYTES);
    builder.spawn(move || jobs.into_iter().for_each(|job| job()))?;
    Ok(sender)
}

/// What is locked here is never left half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Budget = Budget { memory: 8 << 20, time: Duration::from_secs(60) };

    #[test]
    fn a_job_answers_within_its_budget_as_often_as_one_likes() {
        for round in 0..200usize {
            let sum = run(SMALL, move || (0..20).map(|_| vec![1u8; 1 << 20].len()).sum::<usize>() + round);
            assert_eq!(sum, Ok((20 << 20) + round), "what is freed doesn't count");
        }
        assert!(lock(&IDLE).len() <= MAX_IDLE);
    }

    #[test]
    fn what_breaks_its_budget_is_left_behind() {
        assert_eq!(run(SMALL, || vec![1u8; 9 << 20]), Err(Breach::Memory(8 << 20)));
        // Growing, and in one sweep that no machine has.
        let doubling = || {
            let mut text = "x".to_owned();
            loop {
                text = format!("{text}{text}");
                if text.is_empty() {
                    return;
                }
            }
        };
        assert_eq!(run(SMALL, doubling), Err(Breach::Memory(8 << 20)));
        // Deeper than any stack.
        fn nest(level: u64) -> u64 {
            let own = std::hint::black_box(Box::new(level));
            if std::hint::black_box(true) { nest(level + 1) + *own } else { 0 }
        }
        let roomy = Budget { memory: 1 << 30, ..SMALL };
        assert_eq!(run(roomy, || nest(0)), Err(Breach::Nesting));
        assert_eq!(run(SMALL, || vec![0u8; isize::MAX as usize].len()), Err(Breach::Memory(8 << 20)));
        let short = Budget { time: Duration::from_millis(50), ..SMALL };
        let endless = || loop {
            std::hint::black_box(vec![1u8; 10]);
        };
        assert_eq!(run::<()>(short, endless), Err(Breach::Time(short.time)));
        let error = run(SMALL, || -> u8 { panic!("odd {}\u{1b}[2J", 1) }).unwrap_err();
        assert_eq!(error.to_string(), "it panics: odd 1\\u{1b}[2J");
        assert_eq!(catch_panic(|| [1, 2][..].iter().sum::<i32>()), Ok(3));
        // The threads that are left do their work.
        assert_eq!(run(SMALL, || 3), Ok(3));
    }
}
