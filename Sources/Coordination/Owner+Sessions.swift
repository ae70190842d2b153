import LimiterCore
import Raft

// Conversations: verdicts have numbers and are repeated until the holder says it has seen them.

extension Owner {
    mutating func openSession(_ id: UInt64, holder: NodeID, now: ClockTime) {
        guard sessions[id] == nil else { return }
        if sessions.count >= Owner.mostSessions {
            // By time, then by number, so that the order of the dictionary does not matter.
            let oldest = sessions.min { ($0.value.lastHeard, $0.key) < ($1.value.lastHeard, $1.key) }!
            sessions[oldest.key] = nil
        }
        sessions[id] = Session(holder: holder, lastHeard: now)
    }

    /// Notes a verdict for a session; it goes out with the next answer, or with ``flushVerdicts()``.
    mutating func give(_ verdict: Verdict, to session: UInt64) {
        // The session may have been dropped in the meantime: its holder has given up long ago.
        guard sessions[session] != nil else { return }
        sessions[session]!.unseen.append(verdict)
        if sessions[session]!.unseen.count > Owner.mostUnseen {
            sessions[session]!.unseen.removeFirst(Owner.mostUnseen / 4)
            sessions[session]!.firstUnseen += UInt64(Owner.mostUnseen / 4)
            sessions[session]!.sent = max(0, sessions[session]!.sent - Owner.mostUnseen / 4)
        }
    }

    mutating func acknowledge(_ session: UInt64, through number: UInt64) {
        let first = sessions[session]!.firstUnseen
        guard number >= first else { return }
        let seen = min(Int(number - first + 1), sessions[session]!.unseen.count)
        sessions[session]!.unseen.removeFirst(seen)
        sessions[session]!.firstUnseen += UInt64(seen)
        sessions[session]!.sent = max(0, sessions[session]!.sent - seen)
    }

    /// All verdicts that the session has not seen, which count as sent now.
    mutating func unseenVerdicts(_ session: UInt64) -> VerdictBatch {
        sessions[session]!.sent = sessions[session]!.unseen.count
        return VerdictBatch(first: sessions[session]!.firstUnseen, verdicts: sessions[session]!.unseen)
    }

    /// Sends the verdicts that came to be known since the last answer.
    func pendingSessions() -> [UInt64] {
        sessions.filter { $0.value.sent < $0.value.unseen.count }.map(\.key).sorted()
    }
}
