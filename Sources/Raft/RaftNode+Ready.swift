extension RaftNode {
    /// Whether ``takeReady()`` is worth calling. It is false while the only thing to do has to wait for ``written(_:)``.
    public var hasReady: Bool {
        !outbox.isEmpty || replicationDue || durableSnapshot != nil || nextCommitted != nil || isWriteDue
            || (hasMessagesAfterSync && !durability.hasFlights)
    }

    /// Takes what the driver has to do now, or nil if that is nothing.
    ///
    /// The next Ready may be taken before the writes of earlier ones are durable.
    public mutating func takeReady() -> Ready? {
        // Called after each event of a node, and mostly for nothing.
        guard hasReady else { return nil }
        if replicationDue {
            replicationDue = false
            replicate()
        }
        // In parts, put together at the end: a Ready is a few hundred bytes, and copied whenever it is looked at.
        let writes = isWriteDue
        let write =
            writes
            ? durability.takeWrite(
                term: term, vote: vote, commit: commitIndex, log: log, messagesAfterSync: takeMessagesAfterSync()) : nil
        var messages: [Message] = []
        swap(&messages, &outbox)
        if !writes, !durability.hasFlights {
            // Everything these messages vouch for is durable already.
            messages += takeMessagesAfterSync()
        }
        forwardedBytes = 0
        var isEmpty = messages.isEmpty && !writes
        var snapshot: Snapshot?
        if let durable = durableSnapshot {
            durableSnapshot = nil
            snapshot = durable
            appliedIndex = durable.index
            isEmpty = false
        }
        var committed: [Entry] = []
        if let range = nextCommitted {
            committed = Array(log.entries(range))
            appliedIndex = range.upperBound
            isEmpty = false
        }
        return isEmpty ? nil : Ready(messages: messages, write: write, snapshot: snapshot, committed: committed)
    }

    /// Messages that vouch for writes in flight ride on a write of their own, which has nothing to sync but its turn.
    private var isWriteDue: Bool {
        durability.canWrite
            && (durability.mustWrite(term: term, vote: vote, lastIndex: log.lastIndex)
                || (hasMessagesAfterSync && durability.hasFlights))
    }

    private var hasMessagesAfterSync: Bool { !outboxAfterSync.isEmpty || pendingAcknowledgement != nil }

    private mutating func takeMessagesAfterSync() -> [Message] {
        if let match = pendingAcknowledgement, let leader {
            pendingAcknowledgement = nil
            sendAfterSync(.appendResponse(match: match), to: leader)
        }
        var messages: [Message] = []
        swap(&messages, &outboxAfterSync)
        return messages
    }

    /// The next entries to hand out. None while a snapshot that precedes them is not durable: then the log does not reach
    /// back to what was applied.
    private var nextCommitted: ClosedRange<LogIndex>? {
        let first = appliedIndex + 1
        let last = min(commitIndex, durability.durableIndex)
        guard first <= last, first >= log.firstIndex else { return nil }
        return first...min(last, appliedIndex + UInt64(configuration.maxCommittedPerReady))
    }
}
