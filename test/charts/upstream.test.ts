import { renderedCharts } from "./workspace";

const charts = renderedCharts();

/** Everything that a chart renders, as text. */
const textOf = (chart: string) => JSON.stringify(charts.get(chart));

/** Settings against a default of a program's own with which the service would not do its work. */
test.each<[what: string, chart: string, has: RegExp]>([
    [
        "a stream without a length, such as `git push`, passes the edge",
        "pangolin",
        /crowdsecAppsecUnreadableBodyBlock: false/,
    ],
    ["CrowdSec reads a log that appears after its start", "pangolin", /force_inotify: true/],
    ["a new pod of the edge replaces the key of the one before", "pangolin", /cscli bouncers delete traefik/],
    ["the edge's access log never fills its volume", "pangolin", /"name":"log-limit"/],
])("%s", (_, chart, has) => {
    expect(textOf(chart)).toMatch(has);
});

test("Home Assistant's location, units and language are set on its pages: its file names none of them", () => {
    expect(textOf("home-assistant")).toContain("trusted_proxies");
    expect(textOf("home-assistant")).not.toMatch(/\\nhomeassistant:|external_url|internal_url/);
});
