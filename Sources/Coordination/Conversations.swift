import LimiterCore

/// The answering side's part of the conversations with holders: numbered reports, answers that are repeated, and verdicts that have
/// numbers and are repeated until the holder says it has seen them (design, section 5).
///
/// An owner talks so to nodes, and a node to embedded clients. `Holder` is where to send.
struct Conversations<Holder: Sendable> {
    private struct Session {
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
    private var sessions: [UInt64: Session] = [:]

    init(most: Int) { self.most = most }

    var count: Int { sessions.count }

    /// Takes note of a report and of the verdicts that it says were seen.
    mutating func heard(_ report: Report, from holder: Holder, now: ClockTime) -> Arrival {
        let id = report.session
        open(id, holder, now: now)
        sessions[id]!.lastHeard = now
        // A client may come back over another connection.
        sessions[id]!.holder = holder
        acknowledge(id, through: report.verdictsSeen)
        let last = sessions[id]!.lastNumber
        if report.number == last, !isPlanted(.answersRepeatsAnew) {
            guard var answer = sessions[id]!.lastAnswer else { return .late }
            answer.verdicts = unseenVerdicts(id)
            return .repeated(answer)
        }
        return report.number > last || isPlanted(.answersRepeatsAnew) ? .new : .late
    }

    /// The answer to a new report, with all verdicts that the holder has not seen; they count as sent.
    mutating func answer(_ report: Report, readings: [AxisReading], items: [AnswerItem]) -> Answer {
        let answer = Answer(
            session: report.session, number: report.number, readings: readings, items: items,
            verdicts: unseenVerdicts(report.session))
        sessions[report.session]!.lastNumber = report.number
        sessions[report.session]!.lastAnswer = answer
        return answer
    }

    /// Notes a verdict for a session; it goes out with the next answer, or with ``takePending()``.
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

    /// The verdicts that came to be known since each session's last answer, by session.
    mutating func takePending() -> [(holder: Holder, session: UInt64, batch: VerdictBatch)] {
        // Sorted, so that the order of the dictionary does not matter.
        sessions.filter { $0.value.sent < $0.value.unseen.count }.map(\.key).sorted().map { id in
            let from = sessions[id]!.sent
            sessions[id]!.sent = sessions[id]!.unseen.count
            return (
                sessions[id]!.holder, id,
                VerdictBatch(
                    first: sessions[id]!.firstUnseen + UInt64(from), verdicts: Array(sessions[id]!.unseen[from...]))
            )
        }
    }

    private mutating func open(_ id: UInt64, _ holder: Holder, now: ClockTime) {
        guard sessions[id] == nil else { return }
        if sessions.count >= most {
            // By time, then by number, so that the order of the dictionary does not matter.
            let oldest = sessions.min { ($0.value.lastHeard, $0.key) < ($1.value.lastHeard, $1.key) }!
            sessions[oldest.key] = nil
        }
        sessions[id] = Session(holder: holder, lastHeard: now)
    }

    private mutating func acknowledge(_ session: UInt64, through number: UInt64) {
        let first = sessions[session]!.firstUnseen
        guard number >= first else { return }
        let seen = min(Int(number - first + 1), sessions[session]!.unseen.count)
        sessions[session]!.unseen.removeFirst(seen)
        sessions[session]!.firstUnseen += UInt64(seen)
        sessions[session]!.sent = max(0, sessions[session]!.sent - seen)
    }

    private mutating func unseenVerdicts(_ session: UInt64) -> VerdictBatch {
        sessions[session]!.sent = sessions[session]!.unseen.count
        return VerdictBatch(first: sessions[session]!.firstUnseen, verdicts: sessions[session]!.unseen)
    }
}
