/** The console's style sheet. */
export const styleSheet = `
:root {
  color-scheme: light dark;
  --ink: #1c2128; --soft: #59636e; --line: #d8dee4; --page: #f6f8fa; --card: #ffffff;
  --accent: #0a58ca; --good: #1a7f37; --bad: #b42318; --busy: #8a5a00; --challenger: #8250df;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #e6edf3; --soft: #9da7b3; --line: #30363d; --page: #0d1117; --card: #161b22;
    --accent: #6cb0ff; --good: #4ac26b; --bad: #ff8a80; --busy: #e3b341; --challenger: #b392f0;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
a { color: var(--accent); text-decoration: none; }
a:hover { text-decoration: underline; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 3px; }
.skip { position: absolute; left: -999px; }
.skip:focus { left: 1rem; top: 1rem; background: var(--card); padding: .5rem; z-index: 2; }
header.top { background: var(--card); border-bottom: 1px solid var(--line); position: sticky; top: 0; z-index: 1; }
header.top > div { max-width: 76rem; margin: 0 auto; padding: .6rem 1rem; display: flex; gap: 1rem; align-items: baseline; flex-wrap: wrap; }
header.top strong { font-size: 1.1rem; letter-spacing: .01em; }
header.top nav { display: flex; gap: 1rem; }
#live { margin-left: auto; color: var(--soft); font-size: .85rem; }
#live::before { content: ""; display: inline-block; width: .55rem; height: .55rem; border-radius: 50%; background: var(--soft); margin-right: .4rem; }
#live.on::before { background: var(--good); }
main { max-width: 76rem; margin: 0 auto; padding: 1rem; display: grid; gap: 1.25rem; }
h1 { font-size: 1.4rem; margin: .25rem 0; overflow-wrap: anywhere; }
h2 { font-size: 1.05rem; margin: 0 0 .6rem; }
h3 { font-size: 1rem; margin: 0; }
p { margin: .3rem 0; }
.muted, time { color: var(--soft); }
time { font-variant-numeric: tabular-nums; white-space: nowrap; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .9rem 1rem; min-width: 0; }
.cards { display: grid; gap: .9rem; grid-template-columns: repeat(auto-fit, minmax(min(22rem, 100%), 1fr)); }
.columns { display: grid; gap: 1.25rem; grid-template-columns: minmax(0, 3fr) minmax(0, 2fr); align-items: start; }
.stack { display: grid; gap: 1.25rem; }
.row { display: flex; gap: .5rem; align-items: center; flex-wrap: wrap; }
.row.apart { justify-content: space-between; }
.badge { border: 1px solid currentColor; border-radius: 1rem; padding: 0 .55rem; font-size: .8rem; white-space: nowrap; }
.good { color: var(--good); } .bad { color: var(--bad); } .busy { color: var(--busy); } .calm { color: var(--soft); }
.attention { border-left: 4px solid var(--busy); }
.bar { display: block; width: 100%; height: 14px; border-radius: 4px; margin: .5rem 0 .25rem; }
.bar .champion { fill: var(--accent); } .bar .challenger { fill: var(--challenger); } .bar .none { fill: var(--line); }
.legend { display: flex; justify-content: space-between; gap: 1rem; font-size: .85rem; }
.legend .champion { color: var(--accent); } .legend .challenger { color: var(--challenger); }
.steps { display: flex; list-style: none; padding: 0; margin: .5rem 0; gap: .3rem; flex-wrap: wrap; }
.steps li { border: 1px solid var(--line); border-radius: 4px; padding: 0 .45rem; font-size: .8rem; color: var(--soft); }
.steps li.past { border-color: var(--good); color: var(--good); }
.steps li.now { background: var(--challenger); border-color: var(--challenger); color: var(--card); }
button, input, textarea { font: inherit; color: inherit; }
button { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: .2rem .7rem; cursor: pointer; min-height: 2rem; }
button:hover { border-color: var(--accent); }
button.danger { color: var(--bad); }
button.main { background: var(--accent); border-color: var(--accent); color: var(--card); }
button:disabled { opacity: .5; cursor: default; }
textarea { width: 100%; min-height: 9rem; font-family: ui-monospace, monospace; font-size: .85rem; background: var(--page); border: 1px solid var(--line); border-radius: 6px; padding: .5rem; }
pre { overflow: auto; background: var(--page); border: 1px solid var(--line); border-radius: 6px; padding: .6rem; margin: .5rem 0 0; font-size: .85rem; max-height: 24rem; }
code, .mono { font-family: ui-monospace, monospace; font-size: .9em; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th { text-align: left; color: var(--soft); font-weight: 600; font-size: .8rem; }
th, td { padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere; }
td.figure, th.figure { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
tr:last-child > td { border-bottom: 0; }
.numbers { display: flex; flex-wrap: wrap; gap: .2rem 1rem; margin: .3rem 0 0; font-size: .8rem; }
.numbers div { display: flex; gap: .35rem; }
.numbers dt { color: var(--soft); } .numbers dd { margin: 0; font-variant-numeric: tabular-nums; }
.verdict { border-top: 1px solid var(--line); padding: .6rem 0; }
.verdict:first-of-type { border-top: 0; padding-top: 0; }
.verdict summary { cursor: pointer; }
.verdict ul { margin: .3rem 0; padding-left: 1.2rem; font-size: .85rem; }
.verdict ul.findings { font-size: inherit; }
.figures { display: grid; gap: .6rem 2rem; grid-template-columns: repeat(auto-fit, minmax(min(18rem, 100%), 1fr)); margin-top: .5rem; align-items: start; }
.figures h3 { font-size: .85rem; color: var(--soft); }
.figures .numbers { display: block; columns: 14rem; column-gap: 1.5rem; }
.figures .numbers div { justify-content: space-between; break-inside: avoid; border-bottom: 1px solid var(--line); padding: .1rem 0; overflow-wrap: anywhere; }
.plots { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(15rem, 100%), 1fr)); margin: .75rem 0; }
.plots figure { margin: 0; min-width: 0; max-width: 22rem; } .plots figcaption { font-size: .85rem; color: var(--soft); }
.plots th, .scroll th { white-space: nowrap; overflow-wrap: normal; }
.plot { width: 100%; height: auto; display: block; } .plot.interval { width: 120px; }
.plot .axis { stroke: var(--line); fill: none; } .plot text { fill: var(--soft); font: 11px system-ui, sans-serif; }
.plot .even { stroke: var(--soft); stroke-dasharray: 3 3; } .plot .curve { fill: none; stroke: var(--challenger); stroke-width: 2; }
.plot .bin { fill: var(--challenger); } .plot .range { stroke: var(--accent); stroke-width: 2; } .plot .range.worse, .plot .worse { stroke: var(--bad); }
.chain { border-top: 1px solid var(--line); padding: .6rem 0; }
.chain:first-of-type { border-top: 0; padding-top: 0; }
.chain summary { cursor: pointer; }
.chain ol, ol.story { list-style: none; margin: .4rem 0 0; padding: 0 0 0 .9rem; border-left: 2px solid var(--line); display: grid; gap: .5rem; }
.chain ol > li, ol.story > li { min-width: 0; overflow-wrap: anywhere; }
.decision { padding-left: 1.1rem; text-indent: -1.1rem; }
.decision > * { text-indent: 0; }
.decision .muted { font-size: .88rem; }
.chart { width: 100%; max-width: 46rem; height: auto; display: block; margin: .75rem 0; }
.items { list-style: none; margin: 0; padding: 0; }
.items > li { border-bottom: 1px solid var(--line); padding: .55rem 0; overflow-wrap: anywhere; }
.items > li:first-child { padding-top: 0; } .items > li:last-child { border-bottom: 0; padding-bottom: 0; }
.items p { margin: .15rem 0 0; font-size: .9rem; } .items .row { gap: .25rem .5rem; }
.legend + .row, p + .row, .steps + .row { margin-top: .6rem; }
.chart .axis { stroke: var(--line); } .chart text { fill: var(--soft); font: 13px system-ui, sans-serif; }
.chart .weight { fill: none; stroke: var(--challenger); stroke-width: 2; }
.chart circle { stroke: var(--card); stroke-width: 1.5; }
.chart .successful { fill: var(--good); } .chart .failed { fill: var(--bad); } .chart .inconclusive { fill: var(--soft); } .chart .error { fill: var(--busy); }
#toast { position: fixed; right: 1rem; bottom: 1rem; max-width: min(32rem, calc(100vw - 2rem)); background: var(--ink); color: var(--page); border-radius: 8px; padding: .7rem 1rem; white-space: pre-line; }
#toast:empty { display: none; }
@media (max-width: 60rem) { .columns { grid-template-columns: minmax(0, 1fr); } }
@media (max-width: 44rem) { header.top > div { justify-content: space-between; gap: .25rem 1rem; } header.top nav { order: 1; width: 100%; overflow-x: auto; white-space: nowrap; } }
@media (max-width: 34rem) { body { font-size: 16px; } main { padding: .75rem; } .card { padding: .8rem; } button { min-height: 2.5rem; } }
@media (prefers-reduced-motion: no-preference) { .bar rect { transition: width .4s; } }
`;
