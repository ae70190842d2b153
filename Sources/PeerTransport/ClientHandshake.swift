import ByteCoding
package import Raft

/// The first frame of an embedded client.
///
///     magic    8 bytes   "MILLRACE", as in a node's hello
///     version  UInt16    everything after it depends on it
///     name     counted UTF-8, for logs
///     token    counted UTF-8; empty for none
package struct ClientHello: Equatable, Sendable {
    package var name: String
    package var token: String

    package init(name: String, token: String) {
        self.name = name
        self.token = token
    }

    /// The client protocol that this code speaks.
    package static let version: UInt16 = 1
    /// The longest name, in bytes.
    package static let maxNameBytes = 128
    /// The longest token, in bytes.
    package static let maxTokenBytes = 1024

    package enum Reading: Equatable {
        case hello(ClientHello)
        case otherVersion(UInt16)
    }

    package func encoded(version: UInt16 = ClientHello.version) -> [UInt8] {
        var writer = ByteWriter()
        writer.write(raw: Hello.magic)
        writer.write(version)
        writer.write(name)
        writer.write(token)
        return writer.bytes
    }

    package static func read(_ body: ArraySlice<UInt8>) throws(ProtocolViolation) -> Reading {
        var reader = ByteReader(slice: body)
        do {
            guard try reader.read(rawCount: Hello.magic.count).elementsEqual(Hello.magic) else {
                throw ProtocolViolation("a client hello without the magic word: not a Millrace client")
            }
            let version = try reader.read(UInt16.self)
            guard version == Self.version else { return .otherVersion(version) }
            let hello = ClientHello(
                name: try reader.readString(limit: maxNameBytes), token: try reader.readString(limit: maxTokenBytes))
            try reader.finish()
            return .hello(hello)
        } catch let violation as ProtocolViolation {
            throw violation
        } catch {
            throw ProtocolViolation("a malformed client hello: \(error)")
        }
    }
}

/// A node's answer to a client that it takes.
///
///     version      UInt16
///     node         UInt32
///     incarnation  UInt64
package struct ClientWelcome: Equatable, Sendable {
    package var node: NodeID
    package var incarnation: UInt64

    package init(node: NodeID, incarnation: UInt64) {
        self.node = node
        self.incarnation = incarnation
    }

    package func encoded() -> [UInt8] {
        var writer = ByteWriter()
        writer.write(ClientHello.version)
        writer.write(node.rawValue)
        writer.write(incarnation)
        return writer.bytes
    }

    package static func read(_ body: ArraySlice<UInt8>) throws(ProtocolViolation) -> ClientWelcome {
        var reader = ByteReader(slice: body)
        do {
            let version = try reader.read(UInt16.self)
            guard version == ClientHello.version else {
                throw ProtocolViolation("a node that welcomes in client protocol \(version)")
            }
            let welcome = ClientWelcome(node: NodeID(try reader.read()), incarnation: try reader.read())
            try reader.finish()
            return welcome
        } catch let violation as ProtocolViolation {
            throw violation
        } catch {
            throw ProtocolViolation("a malformed welcome: \(error)")
        }
    }
}
