import { refusedCertificate } from "../../../components/waits/cluster";
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
    async (wait, input) => {
        const { code, said } = await runWait(wait, { kubeconfig: server.kubeconfig, limit: 3_600, ...input });

        expect(said).toMatch(
            /^The API server's certificate is not trusted here: .*\nThe kubeconfig belongs to another cluster/,
        );
        expect(code).toBe(1);
    },
);

test.each([
    ["CERT_NOT_YET_VALID", "Check the clock"],
    ["CERT_HAS_EXPIRED", "Check the clock"],
    ["ERR_TLS_CERT_ALTNAME_INVALID", "`tls-san`"],
    ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "belongs to another cluster"],
    ["DEPTH_ZERO_SELF_SIGNED_CERT", "belongs to another cluster"],
    ["CERT_SIGNATURE_FAILURE", "belongs to another cluster"],
    ["ECONNREFUSED", undefined],
])("a certificate that is rejected with %s is reported with its cause: %s", (code, hint) => {
    const message = refusedCertificate(Object.assign(new Error("refused"), { code }));

    expect(message).toEqual(hint && expect.stringContaining(hint));
});
