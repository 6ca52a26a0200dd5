import { type ApiServer, runWait, serveApi } from "./api-server";

let server: ApiServer;

beforeAll(async () => {
    server = await serveApi("another", (_, response) => response.end("{}"));
});

afterAll(() => server.close());

test.each([
    ["applications", { applications: ["jellyfin"], where: "tier 3", revision: "c0ffee" }],
    ["webhook", { owner: "MetalLB", object: { apiVersion: "v1", kind: "Namespace", metadata: { name: "any" } } }],
])(
    "the wait for %s fails at once if the API server's certificate is not trusted, with that reason",
    async (wait, told) => {
        const { code, said } = await runWait(wait, { kubeconfig: server.kubeconfig, limit: 3_600, ...told });

        expect(said).toMatch(
            /^The API server's certificate is not trusted here: .*\nIs the clock of this machine right\?/,
        );
        expect(code).toBe(1);
    },
);
