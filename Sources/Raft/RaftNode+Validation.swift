/// What can be said against a message without knowing more than the configuration. Nothing from outside is trusted to be
/// well formed: a number that overflows would be a crash that one node can cause in all others.
extension RaftNode {
    func validate(_ message: Message) throws(PeerViolation) {
        guard message.to == id else {
            throw PeerViolation(
                .misaddressed, "node \(id) got a message for node \(message.to); check the cluster's addresses")
        }
        guard message.from != id, voters.contains(message.from) else {
            throw PeerViolation(
                .misaddressed, "a message from node \(message.from), which is not another voter of this cluster")
        }
        try limit(message.term, "term")
        switch message.body {
        case .vote, .append, .heartbeat, .snapshotChunk:
            guard message.term > 0 else { throw malformed("a candidate or leader of term 0") }
        default: break
        }
        switch message.body {
        case .preVote(let lastIndex, let lastTerm, _), .vote(let lastIndex, let lastTerm):
            try limit(lastIndex, "last index")
            guard lastTerm <= message.term else { throw malformed("a log that is ahead of its term \(message.term)") }
        case .append(let previousIndex, let previousTerm, let commit, let entries):
            try limit(previousIndex, "previous index")
            try limit(commit, "commit index")
            try validate(entries, after: (previousIndex, previousTerm), in: message.term)
        case .appendResponse(let match), .unmatched(let match):
            try limit(match, "match index")
        case .appendRejection(let previousIndex, let hintIndex, _):
            guard previousIndex > 0, hintIndex <= previousIndex, previousIndex < Self.absurd else {
                throw malformed("a rejection of entry \(previousIndex) with the hint \(hintIndex)")
            }
        case .heartbeat(let commit, let sequence):
            try limit(commit, "commit index")
            try limit(sequence, "sequence number")
        case .heartbeatResponse(let sequence, let context):
            try limit(sequence, "sequence number")
            try limit(context.count, to: Self.maxContextBytes, "a heartbeat context")
        case .snapshotChunk(let chunk):
            try validate(chunk, in: message.term)
        case .forward(let payload):
            try limit(payload.count, to: configuration.maxProposalBytes, "a forwarded proposal")
        case .preVoteResponse, .voteResponse, .snapshotResponse, .staleTerm:
            break
        }
    }

    private func validate(
        _ entries: [Entry], after previous: (index: LogIndex, term: Term), in term: Term
    ) throws(PeerViolation) {
        var last = previous
        for entry in entries {
            guard entry.index == last.index + 1, entry.term >= last.term, entry.term > 0 else {
                throw malformed(
                    "entry \(entry.index) of term \(entry.term) after entry \(last.index) of term \(last.term)")
            }
            last = (entry.index, entry.term)
        }
        guard last.term <= term else { throw malformed("an entry of term \(last.term) from a leader of term \(term)") }
        guard (previous.index == 0) == (previous.term == 0) else {
            throw malformed("entry \(previous.index) of term \(previous.term)")
        }
    }

    private func validate(_ chunk: SnapshotChunk, in term: Term) throws(PeerViolation) {
        try limit(chunk.index, "snapshot index")
        guard chunk.totalBytes <= UInt64(configuration.maxSnapshotBytes) else {
            throw PeerViolation(
                .tooLarge,
                "a snapshot of \(chunk.totalBytes) bytes; at most \(configuration.maxSnapshotBytes) are accepted")
        }
        let (end, overflow) = chunk.offset.addingReportingOverflow(UInt64(chunk.bytes.count))
        guard !overflow, end <= chunk.totalBytes, !chunk.bytes.isEmpty || chunk.totalBytes == chunk.offset else {
            throw malformed("\(chunk.bytes.count) bytes at \(chunk.offset) of a snapshot of \(chunk.totalBytes)")
        }
        guard chunk.index > 0, chunk.term > 0, chunk.term <= term else {
            throw malformed("a snapshot of entry \(chunk.index), term \(chunk.term), in term \(term)")
        }
        guard !chunk.voters.isEmpty, chunk.voters.count <= Self.maxVoters,
            zip(chunk.voters, chunk.voters.dropFirst()).allSatisfy({ $0 < $1 })
        else { throw malformed("a snapshot with the voters \(chunk.voters)") }
    }

    private func limit(_ number: UInt64, _ name: String) throws(PeerViolation) {
        guard number < Self.absurd else { throw malformed("the \(name) \(number)") }
    }

    private func limit(_ count: Int, to limit: Int, _ name: String) throws(PeerViolation) {
        guard count <= limit else {
            throw PeerViolation(
                .tooLarge, "\(name) of \(count) bytes; at most \(limit) are accepted: configure all nodes alike")
        }
    }

    private func malformed(_ what: String) -> PeerViolation {
        PeerViolation(.malformed, "\(what) cannot be; check that all nodes run compatible versions")
    }
}
