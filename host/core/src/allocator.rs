//! An allocator for programs: mimalloc, and an account of what a contained job takes (see [`crate::contain`]).
//!
//! Tensors come and go by the megabyte: an allocator that keeps freed pages spares most page faults of a step.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Thread;

use mimalloc::MiMalloc;

/// What the two sides of a contained job say to each other.
#[derive(Debug)]
pub(crate) struct Watch {
    /// Who waits for the job.
    waiter: Thread,
    /// The job wants more than it may have, and stands still for ever.
    pub(crate) overdrawn: AtomicBool,
    /// The job is nested deeper than it may be, and stands still for ever.
    pub(crate) too_deep: AtomicBool,
    /// Nobody waits any more: the job stands still at its next allocation.
    pub(crate) abandoned: AtomicBool,
}

impl Watch {
    /// A watch over a job that the calling thread waits for.
    pub(crate) fn new() -> Arc<Self> {
        let [overdrawn, too_deep, abandoned] = [false; 3].map(AtomicBool::new);
        Arc::new(Self { waiter: std::thread::current(), overdrawn, too_deep, abandoned })
    }

    /// Has the waiting thread look.
    pub(crate) fn wake(&self) {
        self.waiter.unpark();
    }
}

thread_local! {
    /// The watch of the job that this thread runs, null outside of jobs. Neither value has a destructor, so that reading
    /// them allocates nothing.
    static WATCH: Cell<*const Watch> = const { Cell::new(std::ptr::null()) };
    /// Bytes that it may still take.
    static LEFT: Cell<isize> = const { Cell::new(0) };
    /// The lowest address that its stack may reach. Stacks grow down where we run.
    static FLOOR: Cell<usize> = const { Cell::new(0) };
}

/// Runs `job` on this thread under a budget of `memory` bytes, net of what it frees, and of `stack` bytes. Past either the
/// thread stands still for ever: unwinding out of an allocation is not allowed, and ending the process is what a budget is
/// there to prevent. The stack is looked at whenever memory is taken or given back, which what recurses over data does.
pub(crate) fn with_budget<T>(memory: usize, stack: usize, watch: &Arc<Watch>, job: impl FnOnce() -> T) -> T {
    struct Account;
    impl Drop for Account {
        fn drop(&mut self) {
            WATCH.set(std::ptr::null());
        }
    }
    FLOOR.set((&raw const memory).addr().saturating_sub(stack));
    LEFT.set(isize::try_from(memory).unwrap_or(isize::MAX));
    // `watch` outlives the account, whether the job returns, unwinds or stands still.
    WATCH.set(Arc::as_ptr(watch));
    let _account = Account;
    job()
}

/// mimalloc, with the account. A program that contains others' code has it as its `#[global_allocator]`; without it the
/// budgets of [`crate::contain`] are of time alone.
#[derive(Debug)]
pub struct Accounting;

impl Accounting {
    #[inline]
    fn charge(&self, bytes: isize) {
        let watch = WATCH.get();
        if !watch.is_null() {
            self.charge_job(watch, bytes);
        }
    }

    #[cold]
    fn charge_job(&self, watch: *const Watch, bytes: isize) {
        let left = LEFT.get().saturating_sub(bytes);
        LEFT.set(left);
        let is_too_deep = (&raw const left).addr() < FLOOR.get();
        if bytes <= 0 && !is_too_deep {
            return;
        }
        #[expect(
            unsafe_code,
            reason = "the watch is borrowed by `with_budget`, which resets the pointer when it ends"
        )]
        let watch = unsafe { &*watch };
        if left >= 0 && !is_too_deep && !watch.abandoned.load(Ordering::Relaxed) {
            return;
        }
        // Nothing that follows may be charged again.
        WATCH.set(std::ptr::null());
        watch.too_deep.store(is_too_deep, Ordering::Relaxed);
        watch.overdrawn.store(left < 0 || is_too_deep, Ordering::Release);
        watch.wake();
        loop {
            std::thread::park();
        }
    }
}

/// Sizes are at most `isize::MAX`, says [`Layout`].
#[expect(unsafe_code, reason = "an allocator is an unsafe trait; every call goes on to mimalloc as it came")]
unsafe impl GlobalAlloc for Accounting {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.charge(layout.size() as isize);
        unsafe { MiMalloc.alloc(layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.charge(layout.size() as isize);
        unsafe { MiMalloc.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        self.charge(-(layout.size() as isize));
        unsafe { MiMalloc.dealloc(pointer, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        self.charge((new_size as isize).saturating_sub(layout.size() as isize));
        unsafe { MiMalloc.realloc(pointer, layout, new_size) }
    }
}
