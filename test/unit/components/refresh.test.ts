import { text } from "node:stream/consumers";
import { runWait, serveApi } from "./api-server";

const [now, before] = ["a".repeat(40), "b".repeat(40)];
const forcedBack = "2026-11-30T12:00:00.000Z";

const application = (name: string, revision?: string) => ({
    metadata: { name, annotations: {} },
    ...(revision !== undefined && { status: { sync: { revisions: [revision] } } }),
});

/** Runs the refresh against an API server with these Applications, and returns the annotations that it sets on each. */
async function refresh(input: object, items: readonly object[], deleted?: string) {
    const patches: Record<string, object> = {};
    const server = await serveApi("own", async (request, response) => {
        const name = request.url?.split("/").at(-1) ?? "";
        const code = name === deleted ? 404 : 200;
        if (request.method === "PATCH") {
            patches[name] = JSON.parse(await text(request)).metadata.annotations;
        }
        response.writeHead(code, { "content-type": "application/json" });
        response.end(JSON.stringify(request.method === "PATCH" ? { code } : { items }));
    });
    try {
        const ended = await runWait("refresh", { kubeconfig: server.kubeconfig, limit: 60, revision: now, ...input });
        return { ...ended, patches };
    } finally {
        server.close();
    }
}

const applications = ["late", "new", "ready"];
const existing = [
    application("late", before),
    application("new"),
    application("ready", now),
    application("other", before),
];

test("refreshes the tier's Applications on another commit at once, and does not wait for missing ones", async () => {
    expect(await refresh({ applications: [...applications, "missing"] }, existing)).toEqual({
        code: 0,
        said: "",
        patches: { late: { "argocd.argoproj.io/refresh": "normal" } },
    });
});

test("records a forced push on each Application of the tier, once", async () => {
    const noted = { metadata: { name: "ready", annotations: { "hearth/forced-back": forcedBack } } };
    expect(
        await refresh({ applications, forcedBack }, [...existing.slice(0, 2), { ...existing[2], ...noted }]),
    ).toEqual({
        code: 0,
        said: "",
        patches: {
            late: { "argocd.argoproj.io/refresh": "normal", "hearth/forced-back": forcedBack },
            new: { "hearth/forced-back": forcedBack },
        },
    });
});

test("ignores an Application that is deleted in between, which the tier recreates", async () => {
    expect(await refresh({ applications }, existing, "late")).toMatchObject({ code: 0, said: "" });
});

test("ends the run with the API server's message when it denies the request", async () => {
    const server = await serveApi("own", (_, response) => {
        response.writeHead(403, { "content-type": "application/json" });
        response.end(JSON.stringify({ message: 'applications is forbidden: User "home" cannot list resource' }));
    });
    const ended = await runWait("refresh", { kubeconfig: server.kubeconfig, limit: 60, applications, revision: now });
    server.close();
    expect(ended).toEqual({
        code: 1,
        said: 'The Applications cannot be refreshed: applications is forbidden: User "home" cannot list resource\n',
    });
});
