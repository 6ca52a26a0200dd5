import { git } from "../../../components/git";
import { type Application, isCommitSkipped } from "../../../components/waits/skipped-commits";

jest.mock("../../../components/git", () => ({ git: jest.fn() }));

/** Files that changed between the commit of the last sync and the one that the Application is compared to. */
const changed = (files: string) => jest.mocked(git).mockResolvedValue(files);

/** OutOfSync on the commit "b", without an operation, last synced to "a". */
const atRest: Application = {
    metadata: {
        name: "app",
        annotations: { "argocd.argoproj.io/manifest-generate-paths": ".;../common" },
    },
    spec: { sources: [{ path: "charts/app" }], syncPolicy: { automated: { prune: true } } },
    status: {
        sync: { status: "OutOfSync", revisions: ["b"] },
        operationState: { phase: "Succeeded", syncResult: { revisions: ["a"] } },
    },
};

test("a commit is skipped if it touches the chart of an Application that is OutOfSync and was not synced", async () => {
    changed("charts/app/values.yaml");
    expect(await isCommitSkipped(atRest)).toBe(true);
    expect(git).toHaveBeenLastCalledWith([
        "diff",
        "--name-only",
        "a",
        "b",
        "--",
        ":(top)charts/app",
        ":(top)charts/common",
    ]);
});

test("absolute paths start at the repository's top folder", async () => {
    changed("charts/app/values.yaml");
    const annotations = { "argocd.argoproj.io/manifest-generate-paths": "/charts/app;/charts/common" };
    expect(await isCommitSkipped({ ...atRest, metadata: { name: "app", annotations } })).toBe(true);
    expect(jest.mocked(git).mock.lastCall?.[0].slice(-2)).toEqual([":(top)charts/app", ":(top)charts/common"]);
});

test("manual changes stay: no commit touches their chart", async () => {
    changed("");
    expect(await isCommitSkipped(atRest)).toBe(false);
});

test("root has no manual changes: an Application that Pulumi recreated belongs to root only after a sync", async () => {
    changed("");
    const root = { ...atRest, metadata: { name: "root" } };
    expect(await isCommitSkipped(root)).toBe(true);
    expect(await isCommitSkipped({ ...root, status: { ...atRest.status, sync: { status: "Synced" } } })).toBe(false);
});

test("an Application with manual sync is ignored", async () => {
    changed("charts/app/values.yaml");
    expect(await isCommitSkipped({ ...atRest, spec: { syncPolicy: {} } })).toBe(false);
});

test("a commit that is missing from this checkout is not reported", async () => {
    jest.mocked(git).mockRejectedValue(new Error("bad object b"));
    expect(await isCommitSkipped(atRest)).toBe(false);
});

test.each([
    ["is Synced", { ...atRest.status, sync: { status: "Synced", revisions: ["b"] } }, undefined],
    [
        "is being synced",
        { ...atRest.status, operationState: { phase: "Running", syncResult: { revisions: ["a"] } } },
        undefined,
    ],
    ["will be synced", atRest.status, { sync: {} }],
    [
        "could not be synced",
        { ...atRest.status, operationState: { phase: "Failed", syncResult: { revisions: ["a"] } } },
        undefined,
    ],
    ["was never synced", { ...atRest.status, operationState: undefined }, undefined],
])("no commit was skipped for an Application that %s", async (_, status, operation) => {
    changed("charts/app/values.yaml");
    expect(await isCommitSkipped({ ...atRest, status, operation })).toBe(false);
});
