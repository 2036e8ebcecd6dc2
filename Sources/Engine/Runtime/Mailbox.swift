import Kafka
import Synchronization

/// Messages from other threads to the thread that waits on a wakeup.
final class Mailbox<Message: Sendable>: Sendable {
  private let messages = Mutex<[Message]>([])
  private let wakeup: Wakeup?

  /// Creates a mailbox; `wakeup` is signalled by each post.
  init(wakeup: Wakeup? = nil) { self.wakeup = wakeup }

  /// Adds a message.
  func post(_ message: Message) {
    messages.withLock { $0.append(message) }
    wakeup?.signal()
  }

  /// All messages in the order of their posting.
  func drain() -> [Message] {
    messages.withLock { waiting in
      defer { waiting.removeAll() }
      return waiting
    }
  }
}
