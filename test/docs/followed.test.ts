import { Home } from "../sandbox/home";
import { linesOf } from "./pages";

/** Milliseconds; a fresh cluster takes minutes on two cores. */
const limit = 10 * 60_000;

/** Ctrl-C. */
const interrupt = "\u0003";

/** A line of a page. */
type Line = readonly [page: string, line: string];

/** The pages for a running cluster, in an order in which their commands work. */
const read: readonly string[] = [
    "README.md",
    "CONTRIBUTING.md",
    "docs/daily.md",
    "docs/gitops.md",
    "docs/names.md",
    "docs/expose.md",
    "docs/upgrade.md",
    "docs/restore.md",
    "docs/alerts.md",
    "docs/secrets.md",
];

/** Commands of these pages that cannot run here, by prefix, with the reason. */
const elsewhere: Readonly<Record<string, string>> = {
    "npm start": "the test does it, without the setup, before it reads on",
    "npm test": "this is it",
    "npm run test:charts": "test/docs/contributing.test.ts",
    "npm run init": "test/sandbox/init.test.ts",
    "npx pulumi preview -s my-home": "its machines: test/provision",
    "npx pulumi up -s my-home": "the same",
    "kubectl -n pangolin logs": "a simulated node's pods print nothing",
    "npx pulumi up --target": "machines: test/provision",
    "hack/backup": "a target, and pods that run: test/backup",
    "hack/restore": "the same",
    "restic restore": "the same, with the emergency kit: test/backup/datastore.test.ts",
    "npx pulumi config set --path hearth:loadBalancer": "addresses of another network",
    "npx pulumi config set --path hearth:letsencrypt": "a domain of somebody's own",
    "npx pulumi config set --secret --path hearth:secrets.cert-manager.dns-token": "the same",
    "kubectl -n cert-manager wait certificate rehearsal": "the same",
    "npx pulumi config set --secret --path hearth:secrets.pangolin.api-key": "a key that Pangolin makes",
    "npx pulumi config set --secret --path hearth:secrets.pangolin.records-key": "the key of somebody's DNS server",
    "hack/host-keys 203.0.113.10": "a host on the Internet: test/provision/tunnel.test.ts",
    "npx pulumi config set --path hearth:edge": "the same",
    "hack/what-if --without": "a node of the reader's own: test/sandbox/what-if.test.ts",
    "hack/rehearse": "branches of the reader's own: test/faults/rehearse.test.ts",
    "hack/power": "nodes with SSH: test/sandbox/power.test.ts",
    "hack/names": "a simulated AdGuard answers nobody: test/unit/hack/names.test.ts",
    "git clone": "its address is an example",
    "npm ci": "the same",
    "npx pulumi stack init home": "the same",
    "npx pulumi config set --path hearth:repository.url": "another home's",
    "npx pulumi config set --secret --path 'hearth:gitea.password'": "the same",
    "kubectl port-forward --namespace gitops": "it does not exit; test/sandbox/gitea.test.ts covers port forwarding",
};

/** Prompts of commands, and the answers. */
const answers: readonly (readonly [question: string, keys: string])[] = [
    ["Do you want to perform this", "yes\r"],
    ["Remove it? [y/N]", "y\r"],
    ["value: ", "of-a-reader\r"],
    ["Enter your new passphrase to protect", "another passphrase\r"],
    ["Re-enter your new passphrase", "another passphrase\r"],
    // The screen was cleared: `hack/status --watch` repeats until Ctrl-C.
    ["\u001b[2J", interrupt],
];

const lines: Line[] = read.flatMap((page) => linesOf(page).map((line) => [page, line] as const));
const isElsewhere = ([, line]: Line) => Object.keys(elsewhere).some((beginning) => line.startsWith(beginning));

let home: Home;

beforeAll(async () => {
    home = await Home.create();
    home.keepApplications(
        ...["cert-manager", "database", "gitops", "monitoring", "pangolin", "immich", "navidrome", "qbittorrent"],
    );
    await home.commit("a home to read in");
    await home.addOrigin();
    expect(await home.start()).toHaveEndedWith(0);
    expect(await home.type("npx pulumi stack select sandbox", [])).toHaveEndedWith(0);
}, limit);

afterAll(async () => home.remove(), limit);

test("every exception still occurs on a page", () => {
    const stale = Object.keys(elsewhere).filter((beginning) => !lines.some(([, line]) => line.startsWith(beginning)));
    expect(stale).toEqual([]);
});

test.each(lines.filter((line) => !isElsewhere(line)))(
    "%s: `%s` succeeds",
    async (_page, line) => {
        const { code, output } = await home.type(line, answers);
        expect({ line, output, code }).toEqual({ line, output, code: line.endsWith("--watch") ? 130 : 0 });
        if (line.startsWith("hack/new-app")) {
            // "One commit brings all of it to the cluster."
            await home.commit("a new service");
            await home.push();
        }
    },
    limit,
);
