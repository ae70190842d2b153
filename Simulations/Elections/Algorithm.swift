import RingElection
import Simulator

/// The elections that are compared.
package enum Algorithm: String, CaseIterable, Sendable {
    case lcr = "LCR"
    case toldToTheLetter = "as told: to the letter"
    case toldGreaterPasses = "as told: greater passes"
    case toldOwnIsSmaller = "as told: own is smaller"
    case hirschbergSinclair = "Hirschberg-Sinclair"
    case repairedRing = "repaired ring"
    case raft = "Raft"
    case nominated = "ring then Raft"

    /// One election among members with these UIDs, and how often anybody declared itself leader where that is counted.
    func run(
        uids: [UInt64], conditions: ElectionConditions, seed: UInt64, isCold: Bool = true
    ) -> (outcome: ElectionOutcome, declarations: Int) {
        switch self {
        case .lcr: return (ring(uids, conditions, seed) { LCR(uid: $0) }.outcome, 1)
        case .toldToTheLetter: return told(.toTheLetter, uids, conditions, seed)
        case .toldGreaterPasses: return told(.greaterPasses, uids, conditions, seed)
        case .toldOwnIsSmaller: return told(.ownIsSmaller, uids, conditions, seed)
        case .hirschbergSinclair: return (ring(uids, conditions, seed) { HirschbergSinclair(uid: $0) }.outcome, 1)
        case .repairedRing:
            let members = uids.indices.map { RepairedMember(place: $0, uids: uids) }
            return (finish(members, conditions, seed).outcome, 1)
        case .raft:
            var draws = Draws(seed: seed)
            let members = uids.indices.map {
                RaftMember(place: $0, count: uids.count, seed: draws.next(.process, $0))
            }
            return (finish(members, conditions, seed).outcome, 1)
        case .nominated:
            var draws = Draws(seed: seed)
            let members = uids.indices.map {
                NominatedMember(place: $0, count: uids.count, seed: draws.next(.process, $0), isCold: isCold)
            }
            return (finish(members, conditions, seed).outcome, 1)
        }
    }

    private func told(
        _ reading: LCRAsTold.Reading, _ uids: [UInt64], _ conditions: ElectionConditions, _ seed: UInt64
    ) -> (outcome: ElectionOutcome, declarations: Int) {
        let (outcome, members) = ring(uids, conditions, seed) { LCRAsTold(uid: $0, reading: reading) }
        return (outcome, members.reduce(0) { $0 + $1.elector.declarations })
    }

    private func ring<Elector: RingElector>(
        _ uids: [UInt64], _ conditions: ElectionConditions, _ seed: UInt64, _ make: (UInt64) -> Elector
    ) -> (outcome: ElectionOutcome, members: [RingMember<Elector>]) {
        let places = Dictionary(uniqueKeysWithValues: uids.enumerated().map { ($0.element, $0.offset) })
        let members = uids.indices.map { RingMember(place: $0, places: places, elector: make(uids[$0])) }
        return finish(members, conditions, seed)
    }

    private func finish<M: Member>(
        _ members: [M], _ conditions: ElectionConditions, _ seed: UInt64
    ) -> (outcome: ElectionOutcome, members: [M]) {
        var run = ElectionRun(members: members, conditions: conditions, seed: seed)
        return run.run()
    }
}
