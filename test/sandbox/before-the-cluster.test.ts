import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { prepareCharts, serveChartRepository } from "../../sandbox/chart-repository";
import type { Closeable } from "../../sandbox/http-server";
import { readSandboxSettings } from "../../sandbox/settings";
import { kubeconfigOf } from "../unit/components/api-server";
import { Home } from "./home";

/** Milliseconds; nothing here waits for a cluster. */
const limit = 2 * 60_000;

let home: Home;
let charts: Closeable;

beforeAll(async () => {
    home = await Home.create();
    const directory = join(home.root, ".sandbox/charts");
    await prepareCharts(directory);
    charts = await serveChartRepository(readSandboxSettings(home.root).chartsPort, directory, () => ({}));
    expect(await home.pulumi("stack", "init")).toHaveEndedWith(0);
}, limit);

afterAll(async () => {
    await charts.close();
    await home.remove();
}, limit);

describe("before there is a cluster", () => {
    test(
        "a preview shows every resource that would be created, in all tiers",
        async () => {
            const { code, output } = await home.pulumi("preview");
            expect({ code, output }).toHaveEndedWith(0);
            expect(output).toMatch(/Application\s+database\s+create/);
            expect(output).toMatch(/Application\s+jellyfin\s+create/);
            expect(output).toMatch(/Application\s+root\s+create/);
        },
        limit,
    );

    test(
        "an up without a kubeconfig reports that, and starts nothing",
        async () => {
            const { code, output } = await home.pulumi("up", "--yes", "--skip-preview");
            expect(code).not.toBe(0);
            expect(output).toMatch(/hearth:kubeconfig: the file \S+ does not exist/);
            expect((await home.state()).filter(({ type }) => type.startsWith("kubernetes:"))).toEqual([]);
        },
        limit,
    );

    test(
        "an up with an unreachable cluster reports that, and starts nothing",
        async () => {
            const kubeconfig = join(home.root, ".sandbox/kubeconfig");
            writeFileSync(kubeconfig, kubeconfigOf({ server: "https://127.0.0.1:1" }));
            const { code, output } = await home.pulumi("up", "--yes", "--skip-preview");
            rmSync(kubeconfig);
            expect(code).not.toBe(0);
            expect(output).toMatch(/configured Kubernetes cluster is unreachable/);
            expect((await home.state()).filter(({ type }) => type.startsWith("kubernetes:"))).toEqual([]);
        },
        limit,
    );
});

describe("mistakes are reported before anything is registered, without a stack trace", () => {
    const preview = async () => {
        const { code, output } = await home.pulumi("preview");
        expect(code).not.toBe(0);
        expect(output).not.toMatch(/^\s+at .+:\d+:\d+\)?$/m);
        expect(output).not.toMatch(/\+ \d+ to create/);
        return output;
    };

    test(
        "in the stack's config, all of them",
        async () => {
            home.edit("Pulumi.sandbox.yaml", (text) =>
                text
                    .replace("hearth:domain: home.arpa", "hearth:domian: home.arpa")
                    .replace("path: /export", "path: export"),
            );
            const output = await preview();
            await home.restore();
            expect(output).toMatch(/3 mistakes in the config of stack sandbox/);
            expect(output).toMatch(/hearth:domain: got nothing/);
            expect(output).toMatch(/hearth:domian: did you mean "domain"\?/);
            expect(output).toMatch(/hearth:nfs\.path: got "export", expected an absolute path/);
        },
        limit,
    );

    test(
        "in an Application's manifest",
        async () => {
            home.edit("clusters/home/apps/glance.yaml", (text) => text.replace('sync-wave: "3"', 'sync-wave: "7"'));
            const output = await preview();
            await home.restore();
            expect(output).toMatch(
                /clusters\/home\/apps\/glance\.yaml: .*sync-wave"\]: got "7", expected the tier: "1", "2" or "3"/,
            );
        },
        limit,
    );

    test(
        "in the secrets: which are missing, and the command that sets them",
        async () => {
            home.edit("Pulumi.sandbox.yaml", (text) => text.replace(/ {2}hearth:secrets:\n(?: {4,}.*\n)+/, ""));
            const output = await preview();
            await home.restore();
            expect(output).toMatch(
                /pulumi config set --stack sandbox --secret --path 'hearth:secrets\.qbittorrent\.vpn-/,
            );
        },
        limit,
    );

    test.each<[string, (text: string) => string, RegExp, RegExp]>([
        [
            "in a damaged encrypted value; hack/doctor names it",
            (text) => text.replace(/(vpn-private-key:\n +secure: v1:)./, "$1#"),
            /validating stack config/,
            /cannot be decrypted: hearth:secrets\.qbittorrent\.vpn-private-key\n/,
        ],
        [
            "in a file with a merge conflict; hack/doctor reports the line",
            (text) => text.replace("  hearth:nfs:", "<<<<<<< HEAD\n  hearth:nfs:"),
            /invalid YAML file/,
            /Pulumi\.sandbox\.yaml: line 13 is a merge conflict/,
        ],
    ])(
        "%s",
        async (_, damage, said, diagnosed) => {
            home.edit("Pulumi.sandbox.yaml", damage);
            const output = await preview();
            const doctor = await home.hack("doctor", "--stack", "sandbox");
            await home.restore();
            expect(output).toMatch(said);
            expect(doctor).toMatchObject({ code: 3, output: expect.stringMatching(diagnosed) });
        },
        limit,
    );

    test(
        "with a wrong passphrase",
        async () => {
            const { code, output } = await home.withPassphrase("wrong").pulumi("preview");
            const doctor = await home.withPassphrase("wrong").hack("doctor", "--stack", "sandbox");
            expect(code).not.toBe(0);
            expect(output).toContain("incorrect passphrase");
            expect(doctor).toMatchObject({ code: 3, output: expect.stringMatching(/bad +passphrase/) });
        },
        limit,
    );
});

describe("a pull request's preview, on a runner without cluster or passphrase", () => {
    const preview = async () => {
        const { code, output } = await home.withPassphrase("wrong").hack("preview-comment", "HEAD~1", "-s", "sandbox");
        expect({ code, output }).toHaveEndedWith(0);
        return output;
    };

    test(
        "shows which resources of the program it changes, with old and new values",
        async () => {
            home.edit("Pulumi.sandbox.yaml", (text) => text.replace("10.20.0.250", "10.20.0.251"));
            home.edit("charts/freshrss/secrets.yaml", (text) => `${text}${newSecret}`);
            await home.commit("another address, and a secret");
            const output = await preview();
            expect(output).toContain("<b>pulumi up</b>: 1 created, 2 updated, 0 deleted");
            expect(output).toMatch(/^-\s+- 10\.20\.0\.200-10\.20\.0\.250$/m);
            expect(output).toMatch(/^\+\s+- 10\.20\.0\.200-10\.20\.0\.251$/m);
            expect(output).toMatch(/^random:index\/randomPassword:RandomPassword .*another-key$/m);
        },
        limit,
    );

    test(
        "reports why `pulumi up` would fail",
        async () => {
            home.edit("Pulumi.sandbox.yaml", (text) => text.replace("path: /export", "path: export"));
            await home.commit("a mistake");
            expect(await preview()).toMatch(
                /\*\*pulumi up\*\* would fail:[^*]*hearth:nfs\.path: got "export", expected an absolute path/,
            );
        },
        limit,
    );
});

const newSecret = `  another-key:
    description: Of a feature that is new.
    generate: { length: 32, alphabet: alphanumeric }
`;
