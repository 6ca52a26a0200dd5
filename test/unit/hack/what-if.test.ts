import { answerOf, lostControlPlane } from "../../../hack/placement/answer";
import { formatQuestion, formatUpgrade } from "../../../hack/placement/format";
import { type Home, lostClaims, type Node, type Pod } from "../../../hack/placement/home";
import type { Placement } from "../../../hack/placement/model";
import { newNode } from "../../../hack/placement/new-node";
import { largestLoss } from "../../../hack/placement/restore";

const node = (name: string, ...roles: string[]): Node => ({
    metadata: {
        name,
        labels: {
            "kubernetes.io/hostname": name,
            ...Object.fromEntries(roles.map((role) => [`node-role.kubernetes.io/${role}`, "true"])),
        },
    },
});
const pod = (app: string, nodeName: string | undefined, claim?: string, kind = "ReplicaSet"): Pod => ({
    metadata: {
        name: `${app}-5d7-x`,
        namespace: app,
        labels: { "pod-template-hash": "5d7" },
        ownerReferences: kind === "Pod" ? [] : [{ kind, name: `${app}-5d7`, controller: true }],
    },
    spec: {
        ...(nodeName && { nodeName }),
        containers: [{ name: "main" }],
        volumes: claim ? [{ name: "data", persistentVolumeClaim: { claimName: claim } }] : [],
    },
});
const claim = (app: string) => ({
    metadata: { name: `${app}-data`, namespace: app, labels: { "app.kubernetes.io/name": app } },
    spec: { volumeName: `pv-${app}` },
});
const volume = (app: string, ...hostnames: string[]) => ({
    metadata: { name: `pv-${app}` },
    spec:
        hostnames.length === 0
            ? {}
            : {
                  nodeAffinity: {
                      required: {
                          nodeSelectorTerms: [
                              {
                                  matchExpressions: [
                                      { key: "kubernetes.io/hostname", operator: "In", values: hostnames },
                                  ],
                              },
                          ],
                      },
                  },
              },
});
const home = (changes: Partial<Home> = {}): Home => ({
    nodes: [node("nas", "control-plane"), node("pi"), node("nuc")],
    pods: [],
    claims: [],
    volumes: [],
    storageClasses: [],
    namespaces: [],
    priorityClasses: [],
    daemonSets: [],
    statefulSets: [],
    backups: [],
    ...changes,
});
const placement = (placed: Record<string, string>, stuck: Record<string, string> = {}): Placement => ({
    placed: new Map(Object.entries(placed)),
    stuck: new Map(Object.entries(stuck)),
    preempted: new Map(),
});

test.each<[string, string[], string[], string[]]>([
    ["on the lost node's disk", ["pi"], ["pi"], ["app-data"]],
    ["on another node's disk", ["nuc"], ["pi"], []],
    ["that every node can mount", [], ["pi"], []],
    ["that two nodes can mount, one of them lost", ["pi", "nuc"], ["pi"], []],
    ["that two nodes can mount, both of them lost", ["pi", "nuc"], ["pi", "nuc"], ["app-data"]],
    ["of a node that the home no longer has", ["gone"], ["pi"], []],
])("data of a volume %s", (_, hostnames, without, expected) => {
    const lost = lostClaims(home({ claims: [claim("app")], volumes: [volume("app", ...hostnames)] }), without);

    expect(lost.map(({ metadata }) => metadata.name)).toEqual(expected);
});

test.each<[string, Node[], string[], string | undefined]>([
    ["an agent", home().nodes as Node[], ["pi"], undefined],
    ["the only server", home().nodes as Node[], ["nas"], "no server is left"],
    ["one of three servers", ["a", "b", "c"].map((name) => node(name, "control-plane", "etcd")), ["b"], undefined],
    [
        "one of two servers with etcd",
        ["a", "b"].map((name) => node(name, "control-plane", "etcd")),
        ["b"],
        "etcd has 1 of 2 members",
    ],
    [
        "one of two servers with a database elsewhere",
        ["a", "b"].map((name) => node(name, "control-plane")),
        ["b"],
        undefined,
    ],
    ["any node of a cluster that hides its servers", [node("a"), node("b")], ["b"], undefined],
])("without %s, the API server runs, or the reason is reported", (_, nodes, without, expected) => {
    const reason = lostControlPlane({ nodes }, without);

    expect(reason?.slice(0, expected?.length)).toBe(expected);
});

test("a service stops for its volume, another for lack of capacity, a third moves, and the rest is not listed", () => {
    const lost = [claim("photos")];
    const evicted = [
        pod("photos", "pi", "photos-data"),
        pod("search", "pi"),
        pod("wiki", "pi"),
        pod("one-off", "pi", undefined, "Pod"),
    ];
    const message =
        "0/2 nodes are available: 2 Insufficient memory. no new claims to deallocate, preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod.";
    const answer = answerOf(
        home({ pods: [...evicted, pod("dns", "nas"), pod("exporter", "pi", undefined, "DaemonSet")] }),
        evicted,
        [
            placement(
                { "wiki/wiki-5d7-x": "nuc" },
                {
                    "photos/photos-5d7-x": "0/2 nodes are available: 2 node(s) had volume node affinity conflict",
                    "search/search-5d7-x": message,
                },
            ),
        ],
        lost,
    );

    expect(answer.stops.map(({ service, reasons }) => [service, reasons])).toEqual([
        ["one-off/one-off-5d7-x", ["the pod has no controller that recreates it"]],
        ["photos/photos", ["volume photos-data is on pi"]],
        ["search/search", ["0/2 nodes are available: 2 Insufficient memory"]],
    ]);
    expect(answer.moves.map(({ service, moves }) => [service, moves])).toEqual([
        ["wiki/wiki", [{ pod: "wiki/wiki-5d7-x", from: "pi", to: ["nuc"] }]],
    ]);
    expect(JSON.stringify(answer)).not.toMatch(/dns|exporter/);
});

test("a service whose second pod has no node, before and after, is not listed", () => {
    const second = pod("wiki", undefined, undefined);
    const pods = [pod("wiki", "nas"), { ...second, metadata: { ...second.metadata, name: "wiki-5d7-y" } }];
    const answer = answerOf(home({ pods }), [], [placement({}, { "wiki/wiki-5d7-y": "1 Insufficient memory." })], []);

    expect(JSON.stringify(answer)).not.toContain("wiki/wiki");
});

test("a service that stops in one order of recreation and moves in another is neither reported to stop nor to stay", () => {
    const evicted = [pod("one", "pi"), pod("two", "pi")];
    const answer = answerOf(
        home({ pods: evicted }),
        evicted,
        [
            placement({ "one/one-5d7-x": "nuc" }, { "two/two-5d7-x": "2 Insufficient memory." }),
            placement({ "two/two-5d7-x": "nuc" }, { "one/one-5d7-x": "2 Insufficient memory." }),
        ],
        [],
    );

    expect(answer.mayStop.map(({ service }) => service)).toEqual(["one/one", "two/two"]);
    expect([...answer.stops, ...answer.moves]).toEqual([]);
});

test("a preempted pod is a service that stops on a remaining node", () => {
    const evicted = [pod("dns", "pi")];
    const room = { ...placement({ "dns/dns-5d7-x": "nuc" }, { "games/games-5d7-x": "2 Insufficient memory." }) };
    const answer = answerOf(
        home({ pods: [...evicted, pod("games", "nuc")] }),
        evicted,
        [{ ...room, preempted: new Map([["games/games-5d7-x", "nuc"]]) }],
        [],
    );

    expect(answer.stops).toMatchObject([{ service: "games/games", reasons: ["2 Insufficient memory"] }]);
});

test("the output has the time of the last drills, and the volume without a copy", () => {
    const claims = [claim("photos"), claim("paper"), claim("games")];
    const evicted = [
        pod("photos", "pi", "photos-data"),
        pod("paper", "pi", "paper-data"),
        pod("games", "pi", "games-data"),
    ];
    const stuck = Object.fromEntries(evicted.map(({ metadata }) => [`${metadata.namespace}/${metadata.name}`, ""]));
    const copied = new Date().toISOString();
    const backups = [
        { chart: "photos", claim: "photos/photos-data", copied, seconds: 500 },
        { chart: "paper", claim: "paper/paper-data", copied, seconds: 40 },
    ];
    const answer = answerOf(home({ pods: evicted, backups }), evicted, [placement({}, stuck)], claims);
    const page = formatQuestion("The home without pi:", answer);

    expect(page).toContain("Lost volumes: restoring them takes about 9 minutes, and 1 volume without a backup");
    expect(page).toMatch(/games\/games-data +no backup/);
    expect(page).toMatch(/photos\/photos-data +copied \d+s ago +restored in 500 s/);
});

test("an upgrade of a home of one node stops nothing; a pod without a controller ends the upgrade at its node", () => {
    const refused = { ...answerOf(home(), [], [], []), node: "pi", refused: ["apps/one-off"] };

    expect(formatUpgrade([])).toContain("not drained");
    expect(formatUpgrade([refused])).toMatch(
        /pi is not drained: no controller recreates apps\/one-off\. The upgrade ends here/,
    );
});

test("status names the node whose loss costs most data, only from its claims", () => {
    const apps = ["a", "b", "c"];
    const copied = "2026-11-29T03:00:00Z";
    const backups = apps.map((app) => ({ chart: app, claim: `${app}/${app}-data`, copied, seconds: 180 }));
    const large = { nodes: home().nodes, claims: [...apps, "d"].map(claim) };
    const volumes = [...apps.map((app) => volume(app, "pi")), volume("d", "nuc")];

    expect(largestLoss({ ...large, volumes, backups })).toBe(
        "pi holds the only copy of 3 services in this home; restoring them takes about 9 minutes.",
    );
    expect(largestLoss({ ...large, volumes, backups: [] })).toBe(
        "pi holds the only copy of 3 services in this home; no backup has a copy of them.",
    );
    expect(largestLoss({ ...large, volumes: volumes.map(({ metadata }) => ({ metadata, spec: {} })), backups })).toBe(
        undefined,
    );
});

test.each(["4,16Gi,amd64", "0.5,900Mi,arm64", "500m,8G,amd64"])("--add takes %s", (text) => {
    expect(newNode(text, "new-1").metadata.name).toBe("new-1");
});

test.each(["", "4", "4,16Gi", "4,16,amd64", "four,16Gi,amd64", "4,16Gi,x86", "4,16Gi,amd64,", "-4,16Gi,amd64"])(
    "--add refuses %j with the form that it takes",
    (text) => {
        expect(() => newNode(text, "new-1")).toThrow(
            `invalid --add: got ${JSON.stringify(text)}, expected processors, memory and architecture`,
        );
    },
);
