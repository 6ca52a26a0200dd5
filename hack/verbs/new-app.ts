import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { isMap, isSeq, parseDocument, stringify } from "yaml";
import { readApplications } from "../../components/applications";
import { yamlString } from "../../config/yaml";
import { Failure } from "../../lib/failure";
import { root } from "../../lib/root";
import { tool } from "../../toolchain/tools";
import { findApplication } from "../application";
import { ingressHosts } from "../ingress-hosts";
import { type NewService, readNewService } from "../new-service";
import { render } from "../render";
import { defineVerb, exitCodes } from "../verb";

const cluster = "clusters/home";
const templates = join(root, "hack/templates");

/** Settings to render charts with before a stack exists. */
const defaults = {
    cluster: "home",
    domain: "home.arpa",
    repository: { url: "http://git.home.arpa/home/hearth.git", revision: "main" },
    charts: {},
    // With an export every chart renders.
    nfs: { server: "nas.home.arpa", path: "/export" },
};

/** A string or a map in one line of YAML. */
const inYaml = (value: unknown) => stringify(value, { lineWidth: 0, collectionStyle: "flow" }).trim();

function fill(file: string, values: Readonly<Record<string, string>>): string {
    return readFileSync(file, "utf8").replace(/\$\{(\w+)\}/g, (_, key: string) => values[key] ?? "");
}

function write(path: string, text: string): void {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    process.stdout.write(`  ${path}\n`);
}

/** Adds a line to the list of resources, which is sorted by name. */
function kustomizationWith(resource: string): string {
    const document = parseDocument(readFileSync(join(cluster, "kustomization.yaml"), "utf8"));
    const resources = isMap(document.contents) && document.get("resources");
    if (!isSeq(resources)) {
        throw new Failure(`${cluster}/kustomization.yaml has no list of resources`);
    }
    resources.add(document.createNode(resource));
    resources.items.sort((a, b) => String(a).localeCompare(String(b), "en"));
    return document.toString({ lineWidth: 0 });
}

/** Writes every file of a new service, and renders it. */
async function writeService({ name }: NewService, values: Readonly<Record<string, string>>): Promise<void> {
    for (const file of readdirSync(join(templates, "chart"), { recursive: true, withFileTypes: true })) {
        if (file.isFile()) {
            const path = join(file.parentPath, file.name);
            write(join("charts", name, path.slice(join(templates, "chart").length + 1)), fill(path, values));
        }
    }
    mkdirSync(join("charts", name, "charts"));
    symlinkSync("../../common", join("charts", name, "charts/common"));
    write(`${cluster}/apps/${name}.yaml`, fill(join(templates, "application.yaml"), values));
    write(`${cluster}/kustomization.yaml`, kustomizationWith(`apps/${name}.yaml`));
    await render(root, findApplication(root, defaults.cluster, name), defaults);
}

/** `hack/new-app` */
export const verb = defineVerb({
    parameters: "<name>",
    describe: "Write the chart and the Application of a new service, ready to be committed",
    options: (parser) =>
        parser
            .positional("name", {
                type: "string",
                demandOption: true,
                describe: "Name of the chart, of the Application and of the namespace",
            })
            .options({
                image: {
                    type: "string",
                    demandOption: true,
                    describe: "With registry and release: ghcr.io/owner/app:1.2.3",
                },
                port: { type: "number", default: 8080, describe: "Port that it serves HTTP on" },
                health: { type: "string", default: "/", describe: "Path that answers when it is healthy" },
                host: { type: "string", describe: "Host name under the home's domain [default: its name]" },
                title: { type: "string", describe: "Its name on the home page [default: its name]" },
                description: { type: "string", describe: "Its description, in one sentence" },
                tier: {
                    choices: [1, 2, 3] as const,
                    default: 3,
                    describe: "Its tier: a tier starts after all lower ones are ready",
                },
            }),
    examples: [["$0 wishlist --image ghcr.io/cmintey/wishlist:v0.53.2 --port 3280", "a list of wishes"]],
    run: async ({ name, host = name, title = name, description = title, ...given }) => {
        tool("helm4"); // Missing tools are reported before anything is written.
        const hosts = await ingressHosts(root, readApplications(root, defaults.cluster), defaults);
        const service = readNewService({ ...given, name, host, title, description }, hosts);
        const values = {
            name,
            repository: service.image.repository,
            tag: yamlString(service.image.tag),
            port: `${service.port}`,
            health: inYaml(service.health),
            host,
            link: inYaml({ title, group: "Home" }),
            tier: `${service.tier}`,
            description: inYaml(service.description),
        };
        const list = `${cluster}/kustomization.yaml`;
        const before = readFileSync(list, "utf8");
        process.stdout.write("Written:\n");
        try {
            await writeService(service, values);
        } catch (error) {
            // The same command can be rerun after the mistake is fixed.
            rmSync(join("charts", name), { recursive: true, force: true });
            rmSync(`${cluster}/apps/${name}.yaml`, { force: true });
            writeFileSync(list, before);
            throw error;
        }
        process.stdout.write(
            [
                "",
                `Review charts/${name}/values.yaml; charts/common/README.md documents its keys. Then`,
                `  hack/template ${name}      show the manifests`,
                `  hack/install ${name}       try it before you commit it`,
                `  git add charts/${name} clusters && git commit && git push`,
                `Argo CD does the rest. If charts/${name}/secrets.yaml declares secrets, \`npx pulumi up\` writes them.`,
                "",
            ].join("\n"),
        );
        return exitCodes.done;
    },
});
