import { clusterFindings, connectionFinding, formatFindings, parseFindings } from "../../../provision/checks/findings";

test("the findings of a node are parsed", () => {
    expect(parseFindings("a", "ok\tDebian 12\t\nfatal\tno disk\tlook\nmember\tyes\t\n")).toEqual({
        findings: [
            { node: "a", level: "ok", what: "Debian 12", advice: "" },
            { node: "a", level: "fatal", what: "no disk", advice: "look" },
        ],
        isMember: true,
        peers: [],
        disks: [],
    });
});

test.each([
    ["a wrong host key", "Host key verification failed.", /host key/, /hack\/host-keys/],
    ["a key that is not let in", "admin@10.0.0.1: Permission denied (publickey).", /not accepted/, /authorized_keys/],
    ["sudo with a password", "sudo: a password is required", /sudo/, /NOPASSWD/],
    ["no sudo", "bash: line 1: exec: sudo: not found", /sudo/, /apt install sudo/],
    ["nobody there", "ssh: connect to host 10.0.0.1 port 22: Connection refused", /not reachable/, /sshd listens/],
    ["something unforeseen", "ssh: something", /something/, /ssh admin@/],
])("%s states the fix", (_, stderr, what, advice) => {
    const finding = connectionFinding("a", "admin@10.0.0.1", stderr);
    expect(finding).toMatchObject({ node: "a", level: "fatal" });
    expect(finding.what).toMatch(what);
    expect(finding.advice).toMatch(advice);
});

describe("a blank first server", () => {
    const node = (name: string, isMember: boolean) => ({
        name,
        role: "server" as const,
        isMember,
        peers: [],
        disks: [],
    });

    test("starts a new cluster", () => {
        expect(clusterFindings([node("a", false), node("b", false)])).toEqual([]);
    });

    test("does not start a second cluster next to an existing one", () => {
        expect(clusterFindings([node("a", false), node("b", true)])).toMatchObject([
            { node: "a", level: "fatal", advice: expect.stringContaining("put b before it") },
        ]);
    });
});

describe("an address that the servers share", () => {
    const node = (name: string, isMember: boolean, taken?: string) => ({
        ...{ name, role: "server" as const, isMember, peers: [], disks: [] },
        ...(taken === undefined ? {} : { taken }),
    });

    test("is rejected when another host has it before the cluster exists", () => {
        const { taken } = parseFindings("b", "ok\tDebian 12\t\ntaken\t10.0.0.9\t\n");
        expect(taken).toBe("10.0.0.9");
        expect(clusterFindings([node("a", false), node("b", false, taken)])).toMatchObject([
            { node: "b", level: "fatal", what: "another host has the address 10.0.0.9 already" },
        ]);
    });

    test("is the servers' own once the cluster exists", () => {
        expect(clusterFindings([node("a", true), node("b", false, "10.0.0.9")])).toEqual([]);
    });
});

test("the table lists problems first", () => {
    const table = formatFindings([
        { node: "a", level: "ok", what: "Debian 12", advice: "" },
        { node: "longer", level: "fatal", what: "no sudo", advice: "install it" },
    ]);
    expect(table.split("\n")).toEqual([
        "NODE           FOUND      WHAT TO DO",
        "longer  fatal  no sudo    install it",
        "a       ok     Debian 12",
    ]);
});

describe("a host that is to be a node", () => {
    const peer = (name: string, machine: string, ready: boolean) => ({ name, machine, ready, address: "10.0.0.2" });
    const server = (peers: ReturnType<typeof peer>[]) => ({
        ...{ name: "a", role: "server" as const, isMember: true, machine: "id-a", disks: [] },
        peers,
    });
    const agent = (machine: string, isMember = false) => ({
        ...{ name: "b", role: "agent" as const, isMember, machine },
        ...{ peers: [], disks: [] },
    });

    test("is rejected while the cluster has that node on another host", () => {
        const { peers } = parseFindings("a", "node\tb\told\t10.0.0.2\tTrue\nmachine\tid-a\t\n");
        expect(peers).toEqual([peer("b", "old", true)]);
        expect(clusterFindings([server([...peers]), agent("new")])).toMatchObject([
            { node: "b", level: "fatal", advice: expect.stringContaining("take b out of hearth:nodes") },
        ]);
        expect(clusterFindings([server([peer("b", "old", false)]), agent("new")])).toMatchObject([
            { node: "b", level: "fatal", advice: expect.stringContaining("hack/forget-node b") },
        ]);
    });

    test("is accepted when it is new, or after an interrupted run on the same host", () => {
        expect(clusterFindings([server([peer("c", "id-c", true)]), agent("new")])).toEqual([]);
        expect(clusterFindings([server([peer("b", "id-b", true)]), agent("id-b")])).toEqual([]);
    });

    test("is rejected when it is a copy of another host", () => {
        expect(clusterFindings([server([]), agent("id-a")])).toMatchObject([
            {
                node: "b",
                what: expect.stringContaining("machine id of a"),
                advice: expect.stringContaining("systemd-machine-id-setup"),
            },
        ]);
    });

    test("is rejected when it is a copy of a node that is offline", () => {
        expect(clusterFindings([server([peer("c", "id-c", false)]), agent("id-c")])).toMatchObject([
            { node: "b", level: "fatal", what: expect.stringContaining("machine id of c") },
        ]);
    });

    test("is rejected when it sees a data disk of another one, and accepted with a disk of the same serial number", () => {
        const withDisks = (...ids: string[]) => ids.map((id) => ({ serial: "D1", id }));
        const { disks } = parseFindings("a", "disk\tD1\t0x5000c500\nok\tdisk D1: hearth\t\ndisk\tD1\tuuid-1\t\n");
        expect(disks).toEqual(withDisks("0x5000c500", "uuid-1"));
        expect(
            clusterFindings([
                { ...server([]), disks },
                { ...agent("id-b"), disks },
            ]),
        ).toMatchObject([{ node: "b", level: "fatal", what: "disk D1 is a disk of a, too" }]);
        expect(
            clusterFindings([
                { ...server([]), disks },
                { ...agent("id-b"), disks: withDisks("uuid-2") },
            ]),
        ).toEqual([]);
    });

    test("does not start a second cluster while agents are in one whose servers are lost", () => {
        const fresh = { ...server([]), isMember: false };
        expect(clusterFindings([fresh, agent("id-b", true)])).toMatchObject([
            { node: "b", level: "fatal", advice: expect.stringContaining("docs/restore.md") },
        ]);
    });
});
