/// A value for some of the nodes, by index: oracles ask for it at every event.
struct PerNode<Value> {
    private var values: [Value?] = []

    subscript(node: Int) -> Value? {
        get { node < values.count ? values[node] : nil }
        set {
            while values.count <= node { values.append(nil) }
            values[node] = newValue
        }
    }
}
