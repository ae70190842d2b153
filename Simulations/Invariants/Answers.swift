import Coordination
import NodeRuntime

/// A report that comes again gets the answer it got before, with the same numbers in it: what an owner has decided once is not decided anew
/// (design, section 5). Else each lost answer would cost the tokens in it.
final class Answers: Invariant {
    private struct Conversation: Hashable {
        var incarnation: UInt64
        var holder: Int
        var session: UInt64
    }

    private struct Said {
        var number: UInt64
        var readings: [AxisReading]
        var items: [AnswerItem]
    }

    @exclusivity(unchecked) private var said: [Conversation: Said] = [:]

    init() { super.init("Answers", messages: true) }

    override func said(_ message: PeerMessage, by node: Int, to: Int, _ cluster: SimulatedCluster) {
        guard case .coordination(.answer(let answer)) = message, let process = cluster.nodes[node].process else {
            return
        }
        let conversation = Conversation(incarnation: process.incarnation, holder: to, session: answer.session)
        if let known = said[conversation], known.number >= answer.number {
            if known.number == answer.number, known.items == answer.items, known.readings == answer.readings { return }
            violated("node \(node + 1) has answered report \(answer.number) of node \(to + 1) anew", at: cluster.time)
        }
        said[conversation] = Said(number: answer.number, readings: answer.readings, items: answer.items)
    }
}
