import LimiterCore

/// The answering side's part of the conversations with holders: numbered reports, answers that are repeated, and verdicts that have
/// numbers and are repeated until the holder says it has seen them (design, section 5).
///
/// An owner talks so to nodes, and a node to embedded clients. `Holder` is where to send.
struct Conversations<Holder: Sendable> {
    fileprivate struct Session {
        let id: UInt64
        var holder: Holder
        var lastNumber: UInt64 = 0
        var lastAnswer: Answer?
        /// Verdicts that the holder has not said it has seen.
        var unseen: [Verdict] = []
        /// The number of the first of them.
        var firstUnseen: UInt64 = 1
        /// How many of them have been sent at least once.
        var sent = 0
        var lastHeard: ClockTime
    }

    /// What a report is.
    enum Arrival {
        /// The next one: it wants an answer made by ``answer(_:readings:items:)``.
        case new
        /// It came before: its answer again, with the verdicts that are still unseen.
        case repeated(Answer)
        /// A late copy of an older one: its answer was taken, or the holder has given it up.
        case late
    }

    /// The most conversations; of more, the longest silent one is dropped.
    let most: Int
    private var sessions: [Session] = []
    /// Where each session stands in ``sessions``, by its number.
    private var places: [UInt64: Int] = [:]
    /// Sessions with verdicts that were not sent when they came; some may have been sent since, and some may be named twice.
    private var pending: [UInt64] = []

    init(most: Int) { self.most = most }

    var count: Int { sessions.count }

    /// Takes note of a report and of the verdicts that it says were seen.
    mutating func heard(_ report: Report, from holder: Holder, now: ClockTime) -> Arrival {
        let at = place(of: report.session, holder, now: now)
        sessions[at].lastHeard = now
        // A client may come back over another connection.
        sessions[at].holder = holder
        sessions[at].acknowledge(through: report.verdictsSeen)
        let last = sessions[at].lastNumber
        if report.number == last, !isPlanted(.answersRepeatsAnew) {
            guard var answer = sessions[at].lastAnswer else { return .late }
            answer.verdicts = sessions[at].takeUnseen()
            return .repeated(answer)
        }
        return report.number > last || isPlanted(.answersRepeatsAnew) ? .new : .late
    }

    /// The answer to a new report, with all verdicts that the holder has not seen; they count as sent.
    mutating func answer(_ report: Report, readings: [AxisReading], items: [AnswerItem]) -> Answer {
        let at = places[report.session]!
        let answer = Answer(
            session: report.session, number: report.number, readings: readings, items: items,
            verdicts: sessions[at].takeUnseen())
        sessions[at].lastNumber = report.number
        sessions[at].lastAnswer = answer
        return answer
    }

    /// Notes a verdict for a session; it goes out with the next answer, or with ``takePending()``.
    mutating func give(_ verdict: Verdict, to session: UInt64) {
        // The session may have been dropped in the meantime: its holder has given up long ago.
        guard let at = places[session] else { return }
        if sessions[at].sent == sessions[at].unseen.count { pending.append(session) }
        sessions[at].unseen.append(verdict)
        if sessions[at].unseen.count > Owner.mostUnseen { sessions[at].drop(Owner.mostUnseen / 4) }
    }

    /// The verdicts that came to be known since each session's last answer, by session.
    mutating func takePending() -> [(holder: Holder, session: UInt64, batch: VerdictBatch)] {
        guard !pending.isEmpty else { return [] }
        var batches: [(holder: Holder, session: UInt64, batch: VerdictBatch)] = []
        for session in pending.takeAll().sorted() {
            guard let at = places[session], sessions[at].sent < sessions[at].unseen.count else { continue }
            let from = sessions[at].sent
            sessions[at].sent = sessions[at].unseen.count
            let batch = VerdictBatch(
                first: sessions[at].firstUnseen + UInt64(from), verdicts: Array(sessions[at].unseen[from...]))
            batches.append((sessions[at].holder, session, batch))
        }
        return batches
    }

    private mutating func place(of id: UInt64, _ holder: Holder, now: ClockTime) -> Int {
        if let known = places[id] { return known }
        if sessions.count >= most {
            // By time, then by number.
            let oldest = sessions.indices.min {
                (sessions[$0].lastHeard, sessions[$0].id) < (sessions[$1].lastHeard, sessions[$1].id)
            }!
            places[sessions[oldest].id] = nil
            sessions.swapAt(oldest, sessions.count - 1)
            sessions.removeLast()
            if oldest < sessions.count { places[sessions[oldest].id] = oldest }
        }
        sessions.append(Session(id: id, holder: holder, lastHeard: now))
        places[id] = sessions.count - 1
        return sessions.count - 1
    }
}

extension Conversations.Session {
    /// The holder has seen all verdicts up to this one.
    fileprivate mutating func acknowledge(through number: UInt64) {
        guard number >= firstUnseen else { return }
        drop(min(Int(number - firstUnseen + 1), unseen.count))
    }

    /// Forgets the first verdicts.
    fileprivate mutating func drop(_ count: Int) {
        unseen.removeFirst(count)
        firstUnseen += UInt64(count)
        sent = max(0, sent - count)
    }

    /// All verdicts that were not seen, which count as sent now.
    fileprivate mutating func takeUnseen() -> VerdictBatch {
        sent = unseen.count
        return VerdictBatch(first: firstUnseen, verdicts: unseen)
    }
}
