internal import Glibc

/// Wakes one thread that waits for something to do, from any number of others.
///
/// A worker attaches one to each of its partition queues and hands it to its mailboxes; it looks at
/// all of them, and waits only when all were empty. A signal given in between is not lost.
public final class Wakeup: @unchecked Sendable {
  // @unchecked: `signalled` is read and written under `mutex` only; the pointers never change.
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let condition: UnsafeMutablePointer<pthread_cond_t>
  private var signalled = false

  public init() {
    mutex = .allocate(capacity: 1)
    condition = .allocate(capacity: 1)
    var attributes = pthread_condattr_t()
    precondition(pthread_mutex_init(mutex, nil) == 0)
    precondition(pthread_condattr_init(&attributes) == 0)
    precondition(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0)
    precondition(pthread_cond_init(condition, &attributes) == 0)
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  /// Wakes the waiting thread, or lets its next wait return at once.
  public func signal() {
    pthread_mutex_lock(mutex)
    signalled = true
    pthread_cond_signal(condition)
    pthread_mutex_unlock(mutex)
  }

  /// Waits for a signal and takes it.
  ///
  /// - Returns: Whether there was a signal before `timeout` was over.
  @discardableResult
  public func wait(timeout: Duration) -> Bool {
    var deadline = timespec()
    clock_gettime(CLOCK_MONOTONIC, &deadline)
    let nanoseconds = deadline.tv_nsec + Int(timeout.milliseconds % 1_000) * 1_000_000
    deadline.tv_sec += Int(timeout.milliseconds / 1_000) + nanoseconds / 1_000_000_000
    deadline.tv_nsec = nanoseconds % 1_000_000_000
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while !signalled {
      guard pthread_cond_timedwait(condition, mutex, &deadline) != ETIMEDOUT else { break }
    }
    defer { signalled = false }
    return signalled
  }
}
