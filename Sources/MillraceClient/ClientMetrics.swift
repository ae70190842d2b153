import LimiterCore
import Metrics

/// What the client counts, for whatever metrics system the process has chosen. Decisions on the hot path are not counted here one by
/// one: an application counts its own requests.
struct ClientMetrics: Sendable {
    private let admitted: Counter
    private let limited: Counter
    private let unavailable: Counter
    private let isolated: Counter
    private let sent: Counter
    private let connections: Counter

    init(name: String) {
        let dimensions = [("client", name)]
        func decided(_ outcome: String) -> Counter {
            Counter(label: "millrace_client_forwarded_total", dimensions: dimensions + [("outcome", outcome)])
        }
        admitted = decided("allowed")
        limited = decided("limited")
        unavailable = decided("unavailable")
        isolated = Counter(label: "millrace_client_isolated_total", dimensions: dimensions)
        sent = Counter(label: "millrace_client_reports_total", dimensions: dimensions)
        connections = Counter(label: "millrace_client_connections_total", dimensions: dimensions)
    }

    /// A decision that the node made, or nobody could make.
    func count(_ decision: Decision) {
        switch decision.outcome {
        case .allowed: admitted.increment()
        case .limited: limited.increment()
        case .unavailable: unavailable.increment()
        }
        if decision.isIsolated || decision.cause == .isolated { isolated.increment() }
    }

    func messages(_ count: Int) { if count > 0 { sent.increment(by: count) } }
    func connected() { connections.increment() }
}
