import ArgumentParser
import Strategies
import StudyTools

struct StrategiesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "strategies",
        abstract: "The study of coordination: ways to share one limit (docs/studies/coordination.md).")

    @OptionGroup var choice: StudyChoice

    func run() async throws {
        let study = StrategyStudy(
            seed: choice.seed, size: choice.small ? .small : .full, progress: StudyChoice.progress)
        let tables = try choice.tables(StrategyStudy.names) { study.run() }
        guard let pages = StrategyPages(tables) else { preconditionFailure("a table of the study is missing") }
        try choice.publish(tables, plots: pages.plots, excerpts: pages.excerpts, document: "coordination.md")
    }
}
