// The status page's style sheet. It stands inside the page, so that the page needs no other request. The policy in the
// answer's head (Content-Security-Policy, CSP Level 3 section 6.7.3.3) allows it by its hash.
#pragma once

namespace relayd::monitor {

inline constexpr char kPageStyle[] = R"css(
:root { color-scheme: light dark; --ground: #f4f5f7; --card: #fff; --text: #1b1f24; --faint: #5c6773; --line: #dfe3e8;
  --good: #14713d; --good-ground: #def3e5; --bad: #a61b1b; --bad-ground: #fbe4e4; --warn: #7a4b00; --warn-ground: #fdf0d5; }
@media (prefers-color-scheme: dark) { :root { --ground: #101418; --card: #191f25; --text: #e4e8ec; --faint: #97a3af;
  --line: #2c353e; --good: #71d79b; --good-ground: #12351f; --bad: #ff9a94; --bad-ground: #431818; --warn: #f5c469;
  --warn-ground: #3b2c0c; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.25rem; max-width: 72rem; background: var(--ground); color: var(--text);
  font: 15px/1.45 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; font-variant-numeric: tabular-nums;
  overflow-wrap: anywhere; }
header { display: flex; flex-wrap: wrap; align-items: baseline; gap: .25rem .75rem; margin-bottom: .75rem; }
h1 { font-size: 1.3rem; margin: 0; }
h2 { font-size: 1rem; margin: 0 0 .5rem; }
.faint, footer { color: var(--faint); font-size: .875rem; }
.state { border-radius: .5rem; padding: .6rem .9rem; margin: 0 0 .75rem; font-weight: 600; }
.state.good { background: var(--good-ground); color: var(--good); }
.state.bad { background: var(--bad-ground); color: var(--bad); }
.concerns { list-style: none; margin: 0 0 .75rem; padding: 0; }
.concerns li { border-radius: .5rem; padding: .5rem .9rem; margin-bottom: .375rem; background: var(--warn-ground);
  color: var(--warn); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(10rem, 1fr)); gap: .75rem; margin: 0 0 .75rem; }
.tiles > div, section { background: var(--card); border: 1px solid var(--line); border-radius: .5rem;
  padding: .7rem .9rem; }
.tiles dt { color: var(--faint); font-size: .875rem; }
.tiles dd { margin: 0; }
.tiles .value { font-size: 1.5rem; line-height: 1.25; font-weight: 600; }
section { margin-bottom: .75rem; }
section p { margin: .5rem 0 0; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 0 .75rem; }
table { width: 100%; border-collapse: collapse; }
th { text-align: left; color: var(--faint); font-weight: 500; font-size: .875rem; }
th, td { padding: .3rem .75rem .3rem 0; border-top: 1px solid var(--line); vertical-align: top; }
thead th { border-top: 0; }
th:last-child, td:last-child { padding-right: 0; }
.number { text-align: right; white-space: nowrap; }
.good { color: var(--good); } .bad { color: var(--bad); font-weight: 600; } .warn { color: var(--warn); font-weight: 600; }
a { color: inherit; }
footer { display: flex; flex-wrap: wrap; gap: .25rem 1rem; }
@media (max-width: 40rem) {
  body { padding: .75rem; }
  .tiles { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: .5rem; }
  .tiles .value { font-size: 1.25rem; }
  th, td { padding-right: .4rem; }
  .wide thead { display: none; }
  .wide tr { display: block; border-top: 1px solid var(--line); padding: .35rem 0; }
  .wide tbody tr:first-child { border-top: 0; }
  .wide td { display: flex; justify-content: space-between; gap: 1rem; border: 0; padding: .1rem 0; text-align: right; }
  .wide td:first-child { font-weight: 600; }
  .wide td::before { content: attr(data-name); color: var(--faint); text-align: left; flex: none; }
}
)css";

// SHA-256 of kPageStyle, in base64. A test compares them.
inline constexpr char kPageStyleHash[] = "wm1mdz+GqmaNPjXfx9Y7qWW8ZFw8NwjL1bddB70D7EI=";

}  // namespace relayd::monitor
