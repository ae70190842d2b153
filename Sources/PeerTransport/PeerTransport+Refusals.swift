import Logging
import Raft

/// A cause of trouble with one node (0: somebody unknown), to be logged once until a connection to that node succeeds.
struct Complaint: Hashable {
    enum Cause: Hashable {
        case unreachable
        case refusedByUs(Refusal.Reason)
        case refusesUs(Refusal.Reason)
        case violation
        case tooLarge
    }

    var node: NodeID
    var cause: Cause
}

extension PeerTransport {
    func hello(to target: NodeID, attempt: UInt64) -> Hello {
        Hello(
            cluster: admission.cluster, node: admission.node, target: target, incarnation: admission.incarnation,
            attempt: attempt)
    }

    func refusal(of reading: Hello.Reading, dialled: NodeID?) -> Refusal? {
        admission.refusal(of: reading, dialled: dialled, isMember: { self.peer($0) != nil })
    }

    /// Why a connection that is who it should be is not wanted all the same, or nil.
    func refusal(of identity: ConnectionIdentity, of peer: Peer) -> Refusal? {
        switch peer.pair.judge(identity) {
        case .adopt, .replace: return nil
        case .duplicate: return admission.duplicate(peer.id)
        case .redundant:
            // Why does the other side want another one? Perhaps it has lost the one we believe in: then this draws a
            // reset from its kernel, and we are free to connect anew.
            peer.connection?.probe()
            return admission.redundant(peer.id)
        }
    }

    /// We are about to refuse the sender of `reading`.
    func refusing(_ connection: PeerConnection, _ reading: Hello.Reading, _ refusal: Refusal) {
        guard refusal.reason != .redundant else { return }
        totals.refusedHandshakes += 1
        // An id that a stranger claims must not make us remember more and more complaints.
        var node = NodeID(0)
        if case .hello(let hello) = reading, peer(hello.node) != nil { node = hello.node }
        if case .helloSent(let peer, _) = connection.state {
            node = peer.id
            noteMisfit(peer, refusal)
        }
        complainOnce(
            node, .refusedByUs(refusal.reason), "refused a peer connection: \(Refusal.printable(refusal.text))",
            remote: connection.remoteAddress)
    }

    /// The other side of `connection` refuses us.
    func refused(by connection: PeerConnection, _ refusal: Refusal) {
        let peer: Peer
        switch connection.state {
        case .helloSent(let it, _):
            peer = it
            noteMisfit(peer, refusal)
        case .awaitingConfirmation(let it, _), .established(let it): peer = it
        // No refusal is read in these states.
        case .dialling, .awaitingHello, .client, .closed: return
        }
        guard refusal.reason != .redundant else { return }
        complainOnce(
            peer.id, .refusesUs(refusal.reason), "node \(peer.id) refuses us: \(refusal.text)",
            remote: connection.remoteAddress)
        // One voice is enough: no correct peer says so unless it has met a process with our id that came after us.
        if refusal.reason == .duplicateNode { tellFatal(.duplicateNode, refusal.text) }
    }

    func violated(_ connection: PeerConnection, _ violation: ProtocolViolation) {
        totals.violations += 1
        let node: NodeID =
            switch connection.state {
            case .dialling(let peer, _), .helloSent(let peer, _), .awaitingConfirmation(let peer, _),
                .established(let peer):
                peer.id
            case .awaitingHello, .client, .closed: NodeID(0)
            }
        complainOnce(
            node, .violation, "closing a peer connection that broke the protocol: \(violation)",
            remote: connection.remoteAddress)
    }

    func complainOnce(
        _ node: NodeID, _ cause: Complaint.Cause, _ text: String, remote: String? = nil, level: Logger.Level = .warning
    ) {
        let isNew = complaints.insert(Complaint(node: node, cause: cause)).inserted
        logger.log(level: isNew ? level : .debug, "\(text)", metadata: remote.map { ["remote": "\($0)"] })
    }

    /// Takes note that `peer`, which we dialled, is of another cluster or version. Once more than half of the peers
    /// are, and none is connected, it is we who are in the wrong place. (What strangers claim who dial us does not
    /// count.)
    private func noteMisfit(_ peer: Peer, _ refusal: Refusal) {
        switch refusal.reason {
        case .otherCluster: peer.misfit = .otherCluster
        case .otherVersion: peer.misfit = .otherVersion
        default: return
        }
        guard let code = peer.misfit, peers.allSatisfy({ $0.connection == nil }),
            peers.count(where: { $0.misfit == code }) * 2 > peers.count
        else { return }
        tellFatal(code, "most peers do not accept this node: \(refusal.text)")
    }

    private func tellFatal(_ code: PeerTransportError.Code, _ text: String) {
        guard fatalsTold.insert(code).inserted else { return }
        delegate?.fatal(PeerTransportError(code, text))
    }
}
