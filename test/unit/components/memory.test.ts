import { readApplications } from "../../../components/applications";
import { bytesOf, memoryRequest, memoryShortage } from "../../../components/memory";
import { type OverrideSettings, overriddenManifest } from "../../../components/overrides";

const applications = readApplications(".", "home");
const settings: OverrideSettings = {
    domain: "home.example.com",
    repository: { url: "https://git.example.com/home.git", revision: "main" },
    charts: {},
    nfs: { server: "nas", path: "/export" },
};
const gib = 2 ** 30;

test.each<[unknown, number]>([
    ["512Mi", gib / 2],
    ["1.5Gi", 1.5 * gib],
    ["128974848", 128974848],
    [128974848, 128974848],
    ["129M", 129e6],
    ["128974848000m", 128974848],
    ["3931280Ki", 3931280 * 1024],
    ["64 cups", 0],
    [undefined, 0],
])("%p of memory is %d bytes", (quantity, bytes) => {
    expect(bytesOf(quantity)).toBe(bytes);
});

test("a Raspberry Pi with 4 GiB gets a warning that names the services with the largest requests", () => {
    const [warning, ...others] = memoryShortage(".", applications, settings, { nodes: ["pi"], memory: 3.7 * gib });
    expect(warning).toMatch(
        /^The services request at least 1\d\.\d GiB of memory, and the nodes of this cluster have 3\.7 GiB: pods that do not fit stay Pending\. The largest: (\w+ \d\.\d GiB, ){4}/,
    );
    expect(others).toEqual([]);
});

test("a cluster with enough memory, or whose nodes do not report it, gets none", () => {
    expect(memoryShortage(".", applications, settings, { nodes: ["a", "b", "c"], memory: 48 * gib })).toEqual([]);
    expect(memoryShortage(".", applications, settings, { nodes: ["a"], memory: 0 })).toEqual([]);
});

test("values of an Application replace those of its chart", () => {
    const immich = applications.filter(({ name }) => name === "immich");
    const [own] = immich;
    if (own === undefined) {
        throw new Error("no Application immich");
    }
    const { manifest } = own;
    const [source, ...others] = manifest.spec.sources;
    const withValues = (valuesObject: object) => ({
        ...own,
        manifest: {
            ...manifest,
            spec: { ...manifest.spec, sources: [{ ...source, helm: { valuesObject } }, ...others] as const },
        },
    });
    const requestOf = (valuesObject: object) => memoryRequest(".", withValues(valuesObject) as typeof own, 1);
    const before = memoryRequest(".", own, 1);
    const learning = "machine-learning";
    expect(requestOf({ workloads: { [learning]: { enabled: false } } })).toBe(before - gib);
    expect(requestOf({ workloads: { [learning]: { replicas: 2 } } })).toBe(before + gib);
    expect(requestOf({ workloads: { [learning]: { resources: { requests: { memory: "512Mi" } } } } })).toBe(
        before - gib / 2,
    );
});

test("the pods of a DaemonSet run on every node", () => {
    const monitoring = applications.filter(({ name }) => name === "monitoring");
    const requests = [1, 2, 3].map((nodes) => monitoring.map((each) => memoryRequest(".", each, nodes))[0] ?? 0);
    const [one = 0, two = 0, three = 0] = requests;
    expect(two - one).toBeGreaterThan(0);
    expect(three - two).toBe(two - one);
});

test("the profile `small` lowers the requests of the home's own programs", () => {
    const requestOf = (profile: "standard" | "small", name: string) => {
        const own = applications.filter((each) => each.name === name);
        const sized = own.map((each) => ({
            ...each,
            manifest: overriddenManifest(each, { ...settings, profile }),
        }));
        return sized.map((each) => memoryRequest(".", each, 1))[0] ?? 0;
    };
    for (const name of ["gitops", "monitoring"]) {
        expect(requestOf("small", name)).toBeLessThan(requestOf("standard", name) / 2);
    }
    expect(requestOf("small", "jellyfin")).toBe(requestOf("standard", "jellyfin"));
});
