import ByteCoding

/// The file that says whose data the folder holds: text, so that an operator can read it, with a checksum.
package struct IdentityFile: Equatable, Sendable {
    private static let title = "millrace data folder, version 1"

    package var identity: DataIdentity
    /// A random number drawn when the folder was made. All checksums in the folder depend on it.
    package var folder: UInt64

    package init(identity: DataIdentity, folder: UInt64) {
        self.identity = identity
        self.folder = folder
    }

    package func encode() -> [UInt8] {
        let text = """
            \(Self.title)
            node: \(identity.node)
            cluster: \(Self.escape(identity.cluster))
            folder: \(FileName.hex(folder, digits: 16))

            """
        let checksum = FileName.hex(UInt64(CRC32C.checksum(text.utf8)), digits: 8)
        return Array((text + "checksum: \(checksum)\n").utf8)
    }

    package init(decoding bytes: [UInt8]) throws(LogCorrupted) {
        func damaged(_ reason: String) -> LogCorrupted {
            LogCorrupted(file: FileName.identity, offset: 0, reason: reason)
        }
        // Bytes, not characters: a newline after a carriage return, say, is no character of its own.
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        guard lines.count == 6, lines[0].elementsEqual(Self.title.utf8) else {
            throw damaged("the file is not \"\(Self.title)\"; was it written by another version?")
        }
        func field(_ line: Int, _ name: String) throws(LogCorrupted) -> String {
            guard lines[line].starts(with: "\(name): ".utf8) else {
                throw damaged("line \(line + 1) is not \"\(name): …\"")
            }
            return String(decoding: lines[line].dropFirst(name.utf8.count + 2), as: UTF8.self)
        }
        guard let node = UInt32(try field(1, "node")), let folder = UInt64(try field(3, "folder"), radix: 16),
            let cluster = Self.unescape(try field(2, "cluster"))
        else { throw damaged("a field is not readable") }
        identity = DataIdentity(node: node, cluster: cluster)
        self.folder = folder
        // Comparing all bytes catches a flipped bit wherever it is, the checksum's own text included.
        guard encode() == bytes else { throw damaged("the checksum does not match") }
    }

    private static func escape(_ text: String) -> String {
        var escaped = ""
        for character in text.unicodeScalars {
            switch character {
            case "\\": escaped += "\\\\"
            case "\n": escaped += "\\n"
            default: escaped.unicodeScalars.append(character)
            }
        }
        return escaped
    }

    private static func unescape(_ text: String) -> String? {
        var result = ""
        var scalars = text.unicodeScalars.makeIterator()
        while let scalar = scalars.next() {
            guard scalar == "\\" else {
                result.unicodeScalars.append(scalar)
                continue
            }
            switch scalars.next() {
            case "\\": result += "\\"
            case "n": result += "\n"
            default: return nil
            }
        }
        return result
    }
}
