extension TimelinePage {
    /// Node colours are those of Okabe and Ito or near them, told apart by colour-blind readers; red is for violations
    /// only.
    static let style = """

        :root { color-scheme: light dark; --ground: #ffffff; --panel: #f6f7f9; --ink: #1c2330; --soft: #5d6676;
          --line: #dfe3e9; --bad: #c81e2c; --good: #12784f; --level: #3c4657; --split: #8a5cd1; --cut: #b98900;
          --c1: #0b6fb8; --c2: #d98200; --c3: #0a8f6c; --c4: #a4559e; --c5: #3a9fce; --c6: #7d7000; --c7: #5a5ad0;
          --c8: #8c6d5a; }
        @media (prefers-color-scheme: dark) { :root { --ground: #14181f; --panel: #1b212b; --ink: #e6eaf1;
          --soft: #9aa5b6; --line: #2f3846; --bad: #ff6b70; --good: #4cc795; --level: #c3ccda; --split: #b596f0; --cut: #e6bd4a;
          --c1: #4ea3ea; --c2: #f0a63a; --c3: #35bf95; --c4: #d187ca; --c5: #84d0f2; --c6: #c7b63e; --c7: #9a9af2;
          --c8: #c4a48f; } }
        * { box-sizing: border-box; }
        body { margin: 0; background: var(--ground); color: var(--ink); line-height: 1.5;
          font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
        main { max-width: 1280px; margin: 0 auto; padding: 28px 24px 56px; }
        h1 { font-size: 24px; line-height: 1.25; margin: 0 14px 0 0; display: inline-block; overflow-wrap: anywhere; }
        h2 { font-size: 17px; margin: 36px 0 10px; }
        p { max-width: 76ch; margin: 8px 0; }
        dl { display: flex; flex-wrap: wrap; gap: 10px 30px; margin: 14px 0 0; }
        dt { color: var(--soft); font-size: 12px; } dd { margin: 0; font-variant-numeric: tabular-nums; }
        .verdict { display: inline-block; margin: 0; padding: 2px 11px; border-radius: 999px; font-weight: 600;
          font-size: 14px; border: 1.5px solid currentColor; vertical-align: 4px; }
        .good { color: var(--good); } .broken-verdict, .bad { color: var(--bad); }
        .violations { margin: 14px 0 0; padding: 10px 14px 10px 34px; border-left: 4px solid var(--bad);
          background: var(--panel); overflow-wrap: anywhere; }
        .toolbar { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; margin: 22px 0 0; }
        .toolbar[hidden] { display: none; }
        button { font: inherit; font-size: 13px; padding: 3px 11px; border: 1px solid var(--line); border-radius: 6px;
          background: var(--panel); color: var(--ink); cursor: pointer; }
        button:hover, button:focus-visible { border-color: var(--soft); }
        .hint { color: var(--soft); font-size: 13px; } #now { color: var(--ink); font-variant-numeric: tabular-nums; }
        .frame { margin: 12px 0 0; padding: 16px 14px 8px; border: 1px solid var(--line); border-radius: 10px;
          overflow-x: auto; }
        #run { display: block; width: 100%; min-width: 820px; height: auto;
          user-select: none; -webkit-user-select: none; cursor: crosshair; }
        svg text { font-size: 12px; fill: var(--ink); font-family: inherit; }
        svg .small, svg .axis { font-size: 11px; fill: var(--soft); font-variant-numeric: tabular-nums; }
        svg .small.bad { fill: var(--bad); } svg .lane { font-weight: 600; } svg .name { fill: var(--soft); }
        svg .on { font-size: 11px; font-weight: 600; fill: var(--ground); pointer-events: none; }
        svg .fault, svg .phase { font-size: 11px; } svg .phase { font-weight: 600; }
        .stretch * { vector-effect: non-scaling-stroke; }
        .grid { stroke: var(--line); fill: none; vector-effect: non-scaling-stroke; }
        .n1 { --c: var(--c1); } .n2 { --c: var(--c2); } .n3 { --c: var(--c3); } .n4 { --c: var(--c4); }
        .n5 { --c: var(--c5); } .n6 { --c: var(--c6); } .n7 { --c: var(--c7); } .n8 { --c: var(--c8); }
        .solid { fill: var(--c); } .up { fill: var(--c); fill-opacity: 0.24; }
        .down { fill: var(--soft); }
        .paused, .paused-swatch { fill: url(#hatch); stroke: var(--soft); stroke-width: 0.7; }
        .hatch-ground { fill: var(--ground); fill-opacity: 0.75; } .hatch-line { fill: var(--soft); }
        .crash { stroke: var(--ink); stroke-width: 2.2; fill: none; stroke-linecap: round; }
        .restart, .takeover { fill: var(--ink); stroke: var(--ground); stroke-width: 0.8; }
        .gave-up { fill: var(--ground); stroke: var(--ink); stroke-width: 1.3; }
        .clock { fill: var(--ground); stroke: var(--ink); stroke-width: 1.5; } .disk { fill: var(--soft); }
        .fault-mark, .phase-mark { stroke: var(--ink); stroke-width: 1.5; fill: none; }
        .split { fill: var(--split); fill-opacity: 0.13; }
        .split-label { fill: var(--split); fill-opacity: 0.3; stroke: var(--split); stroke-width: 0.8; }
        .cut-label { fill: var(--cut); fill-opacity: 0.22; stroke: var(--cut); stroke-width: 0.8; }
        .field { fill: var(--panel); fill-opacity: 0.55; stroke: none; }
        .zero { stroke: var(--soft); stroke-width: 1; fill: none; }
        .level { fill: var(--level); fill-opacity: 0.12; stroke: var(--level); stroke-width: 1.1;
          stroke-linejoin: round; }
        .broken { fill: var(--bad); fill-opacity: 0.35; stroke: var(--bad); stroke-width: 1.6; stroke-linejoin: round; }
        .deepest { fill: none; stroke: var(--bad); stroke-width: 2; }
        .tick { stroke: var(--c); stroke-width: 1; fill: none; }
        .refused { stroke: var(--soft); stroke-opacity: 0.7; stroke-width: 1; fill: none; }
        .violation { stroke: var(--bad); stroke-width: 1.8; fill: none; }
        .violation-touch { stroke: var(--bad); stroke-opacity: 0; stroke-width: 9; fill: none; pointer-events: stroke; }
        #pick { fill: var(--ink); fill-opacity: 0.1; pointer-events: none; }
        .legend { list-style: none; margin: 0 0 14px; padding: 0; display: grid; gap: 6px 22px;
          grid-template-columns: repeat(auto-fill, minmax(250px, 1fr)); font-size: 14px; }
        .legend li { display: flex; gap: 10px; align-items: center; } .legend svg { flex: none; }
        table { border-collapse: collapse; width: 100%; font-size: 14px; }
        th { text-align: left; font-weight: 600; color: var(--soft); font-size: 12px; }
        th, td { padding: 4px 14px 4px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
        td { overflow-wrap: anywhere; } .time, td.node { white-space: nowrap; font-variant-numeric: tabular-nums; }
        td.time, th.time { text-align: right; width: 9em; }
        td i { display: inline-block; width: 9px; height: 9px; border-radius: 2px; margin-right: 7px;
          background: var(--c); }
        .bad-row td { color: var(--bad); font-weight: 600; } .gap td { color: var(--soft); font-style: italic; }
        @media print { .toolbar { display: none; } main { max-width: none; padding: 0; } }

        """
}
