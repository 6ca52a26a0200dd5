import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { configFile, containers, type Manifest, ofKind } from "./manifest";
import { chartsDirectory, renderedCharts } from "./workspace";

/** Every command of a page that starts a program in a running pod. */
function commandsInPods(page: string): string[] {
    const text = readFileSync(join(chartsDirectory, "../docs", page), "utf8");
    return [...text.matchAll(/`(kubectl [^`]*\bexec\b[^`]*)`/g)].map(([, command = ""]) =>
        command.replace(/\s+/g, " "),
    );
}

/** Commands that prompt: without a terminal, ntfy cannot read the password. https://docs.ntfy.sh/config/#users-and-roles */
const prompts = / -- ntfy user (add|change-pass) /;

let objects: Manifest[];

beforeAll(() => {
    const rendered = renderedCharts();
    objects = [...(rendered.get("ntfy") ?? []), ...(rendered.get("monitoring") ?? [])];
}, 120_000);

test("the commands that create a phone's account run in ntfy's pod, and a prompt for a password has a terminal", () => {
    const commands = commandsInPods("alerts.md");
    const [deployment] = ofKind(objects, "Deployment");

    expect(commands.filter((each) => prompts.test(`${each} `))).toHaveLength(1);
    for (const command of commands) {
        expect(command).toContain(`kubectl -n ${deployment?.metadata.namespace} exec `);
        expect(command).toContain(` deploy/${deployment?.metadata.name} -- `);
        expect(/ --stdin --tty /.test(command)).toBe(prompts.test(command));
    }
});

test("ntfy's command finds the server's accounts: the configuration is at its default path, and the accounts on the claim", () => {
    const config = parse(configFile(objects, "ntfy", "server.yml"));
    const container = containers(objects).find(({ workload }) => workload.name === "ntfy")?.container;
    const claim = container?.volumeMounts?.find(({ name }) => name === "data");

    expect(container?.volumeMounts).toContainEqual({ name: "config", mountPath: "/etc/ntfy", readOnly: true });
    expect(config["auth-file"]).toMatch(new RegExp(`^${claim?.mountPath}/`));
    expect(config["auth-default-access"]).toBe("deny-all");
});

test("the account may read the topic that Alertmanager writes to without an account", () => {
    const config = parse(configFile(objects, "ntfy", "server.yml"));
    const [, topic] = / -- ntfy access <name> (\S+) read-only/.exec(commandsInPods("alerts.md").join("\n")) ?? [];
    const notified = ofKind(objects, "ConfigMap").flatMap(({ data = {} }) =>
        [
            ...Object.values(data)
                .join("\n")
                .matchAll(/http:\/\/ntfy\.ntfy\.svc[^/\s]*\/([a-z]+)/g),
        ].map(([, name]) => name),
    );

    expect(config["auth-access"]).toEqual([`*:${topic}:write-only`]);
    expect(new Set(notified)).toEqual(new Set([topic]));
});
