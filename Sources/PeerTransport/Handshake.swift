package import Raft
import ByteCoding

/// The first frame of each side: who it is and whom it believes to talk to.
///
///     magic        8 bytes   "MILLRACE"
///     version      UInt16    everything after it depends on it
///     cluster      counted UTF-8
///     node         UInt32    the sender
///     target       UInt32    whom the sender means
///     incarnation  UInt64    of the sender
///     attempt      UInt64    the dialler's count of its dials; the listener repeats the number
package struct Hello: Equatable, Sendable {
    package var cluster: String
    package var node: NodeID
    package var target: NodeID
    package var incarnation: UInt64
    package var attempt: UInt64

    package init(cluster: String, node: NodeID, target: NodeID, incarnation: UInt64, attempt: UInt64) {
        self.cluster = cluster
        self.node = node
        self.target = target
        self.incarnation = incarnation
        self.attempt = attempt
    }

    package static let magic = Array("MILLRACE".utf8)
    /// The protocol that this code speaks.
    package static let version: UInt16 = 1

    /// What a hello turned out to be.
    package enum Reading: Equatable {
        case hello(Hello)
        /// A Millrace node of another version; what follows its version is not for us to read.
        case otherVersion(UInt16)
    }

    package func encoded(version: UInt16 = Hello.version) -> [UInt8] {
        var writer = ByteWriter()
        writer.write(raw: Self.magic)
        writer.write(version)
        writer.write(cluster)
        writer.write(node.rawValue)
        writer.write(target.rawValue)
        writer.write(incarnation)
        writer.write(attempt)
        return writer.bytes
    }

    package static func read(_ body: ArraySlice<UInt8>) throws(ProtocolViolation) -> Reading {
        var reader = ByteReader(slice: body)
        do {
            guard try reader.read(rawCount: magic.count).elementsEqual(magic) else {
                throw ProtocolViolation("a hello without the magic word: not a Millrace peer")
            }
            let version = try reader.read(UInt16.self)
            guard version == Self.version else { return .otherVersion(version) }
            let hello = Hello(
                cluster: try reader.readString(limit: PeerTransport.Configuration.maxClusterIdentityBytes),
                node: NodeID(try reader.read()), target: NodeID(try reader.read()), incarnation: try reader.read(),
                attempt: try reader.read())
            try reader.finish()
            return .hello(hello)
        } catch let violation as ProtocolViolation {
            throw violation
        } catch {
            throw ProtocolViolation("a malformed hello: \(error)")
        }
    }
}

/// The last frame of a connection that we do not want: why.
///
///     reason  UInt8
///     text    counted UTF-8, for the operator of the refused node
package struct Refusal: Equatable, Sendable {
    package enum Reason: UInt8, Sendable, CaseIterable {
        case otherVersion = 1
        case otherCluster = 2
        case wrongNode = 3
        case duplicateNode = 4
        case unknownNode = 5
        /// There is another connection of the same two processes, and that one is kept. Nothing is wrong.
        case redundant = 6
        case violation = 7
        /// The node has as many embedded clients as it may have.
        case tooManyClients = 8
        /// The token is missing or wrong.
        case unauthorised = 9
        /// The client does not read what it is sent.
        case tooSlow = 10
        /// A reason that only newer versions know.
        case unknown = 255
    }

    package var reason: Reason
    package var text: String

    package init(_ reason: Reason, _ text: String) {
        self.reason = reason
        self.text = text
    }

    /// The longest text in bytes; a longer one is cut.
    package static let maxTextBytes = 1024

    package func encoded() -> [UInt8] {
        var writer = ByteWriter()
        writer.write(reason.rawValue)
        writer.write(Self.printable(text))
        return writer.bytes
    }

    package static func read(_ body: ArraySlice<UInt8>) throws(ProtocolViolation) -> Refusal {
        var reader = ByteReader(slice: body)
        do {
            let reason = try reader.read(UInt8.self)
            let text = try reader.readString(limit: maxTextBytes)
            return Refusal(Reason(rawValue: reason) ?? .unknown, printable(text))
        } catch {
            throw ProtocolViolation("a malformed refusal: \(error)")
        }
    }

    /// Strangers' words end up in logs: no control characters, and not too many of them.
    static func printable(_ text: String) -> String {
        var clean = String.UnicodeScalarView()
        var bytes = 0
        for scalar in text.unicodeScalars {
            let next: Unicode.Scalar
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator: next = " "
            default: next = scalar
            }
            bytes += UTF8.width(next)
            guard bytes <= maxTextBytes else { break }
            clean.append(next)
        }
        return String(clean)
    }
}
