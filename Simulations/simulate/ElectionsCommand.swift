import ArgumentParser
import Elections
import StudyTools

struct ElectionsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "elections", abstract: "The study of elections: rings beside Raft (docs/studies/elections.md).")

    @OptionGroup var choice: StudyChoice

    func run() async throws {
        let study = ElectionStudy(
            seed: choice.seed, size: choice.small ? .small : .full, progress: StudyChoice.progress)
        let tables = try choice.tables(ElectionStudy.names) { study.run() }
        guard let pages = ElectionPages(tables) else { preconditionFailure("a table of the study is missing") }
        try choice.publish(tables, plots: pages.plots, excerpts: pages.excerpts, document: "elections.md")
    }
}
