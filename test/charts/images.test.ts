import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { copiesValues } from "./copies";
import { reviewed } from "./golden";
import { containers, type Manifest, type Model, ofKind, type RunningContainer, workloads } from "./manifest";
import { renderedCharts, renderedExample } from "./workspace";

/** Port that a program listens on, and the setting that changes it. */
type Port =
    | number
    | { readonly default: number; readonly variable?: string; readonly argument?: string; readonly file?: string };

/** Upstream file that facts come from. */
interface Source {
    readonly repository: string;
    readonly path: string;
    /** Version, release line or date that was read. */
    readonly read: string;
    /** Commit or version of another repository that has the tag. */
    readonly at?: string;
    /** Tag that it is assumed to hold for, if it does not name the tag itself. */
    readonly for?: string;
}

/** Facts about an image, from images.yaml. */
interface Facts {
    readonly version: string;
    readonly sources: readonly Source[];
    readonly user: string;
    readonly runsAs: "any" | readonly number[];
    readonly entrypoint: readonly string[];
    readonly command: readonly string[];
    readonly programs?: readonly string[];
    readonly fileCapabilities?: readonly string[];
    readonly rootNeeds?: readonly string[];
    readonly writes?: readonly string[];
    readonly ownFolders?: readonly string[];
    readonly readsAtStart?: readonly string[];
    readonly ports?: readonly Port[];
    readonly internet?: readonly (number | string)[] | "any" | "configured";
    readonly health?: readonly string[];
    readonly variables: readonly string[];
}

const facts = parse(readFileSync(join(__dirname, "images.yaml"), "utf8"), { merge: true }) as Record<string, Facts>;
/** A container, where it is, and the facts about its image. */
interface Subject extends RunningContainer {
    readonly chart: string;
    readonly where: string;
    readonly objects: readonly Manifest[];
    readonly repository: string;
    readonly tag: string;
}

/** Every chart with its default values. */
const defaults = renderedCharts();

/** Every chart with its defaults, with copies of its volumes, and with optional parts. */
const rendered = [
    ...defaults,
    ...renderedCharts(copiesValues),
    ...["monitoring", "pangolin"].map((chart) => [chart, renderedExample(chart)] as const),
];

const subjects = rendered.flatMap(([chart, objects]) =>
    containers(objects).map((each): Subject => {
        const [, repository = "", tag = ""] = /^([^@]+):([^:@]+)(?:@.+)?$/.exec(each.container.image ?? "") ?? [];
        return {
            ...each,
            chart,
            where: `${chart}/${each.workload.name}/${each.container.name}`,
            objects,
            repository,
            tag,
        };
    }),
);

/** Mistakes of all containers, each as one line; the tests expect none. */
function mistakes(of: (subject: Subject, image: Facts) => readonly string[]): string[] {
    return subjects.flatMap((subject) => {
        const image = facts[subject.repository];
        return image ? of(subject, image).map((mistake) => `${subject.where}: ${mistake}`) : [];
    });
}

const userOf = ({ workload, container }: Subject): number | undefined =>
    container.securityContext?.runAsUser ?? workload.template.spec?.securityContext?.runAsUser;

const matches = (name: string, pattern: string): boolean =>
    pattern.startsWith("/") ? new RegExp(pattern.slice(1, -1)).test(name) : pattern === name;

/** Reports whether a mount is read-only. */
function isReadOnly({ workload }: Subject, mount: Model<"V1VolumeMount">): boolean {
    const volume = workload.template.spec?.volumes?.find(({ name }) => name === mount.name);
    return Boolean(mount.readOnly || volume?.configMap || volume?.secret || volume?.projected);
}

const isBelow = (path: string, folder: string): boolean => path === folder || path.startsWith(`${folder}/`);

/** The mount that a path lies in. */
function mountOf({ container }: Subject, path: string): Model<"V1VolumeMount"> | undefined {
    return (container.volumeMounts ?? [])
        .filter(({ mountPath }) => isBelow(path, mountPath))
        .sort((a, b) => b.mountPath.length - a.mountPath.length)[0];
}

const probes = ({ container }: Subject) =>
    [container.startupProbe, container.livenessProbe, container.readinessProbe].filter((probe) => probe !== undefined);

/** The ports that the program of a container listens on, with its configuration. */
function isListening({ container, objects }: Subject, image: Facts, port: number): boolean {
    const at = new RegExp(`(^|\\D)${port}$`);
    return (image.ports ?? []).some((known) => {
        if (typeof known === "number") {
            return known === port;
        }
        const { variable, argument, file } = known;
        const value = container.env?.find(({ name }) => name === variable)?.value;
        if (variable !== undefined && value !== undefined) {
            return at.test(value);
        }
        const given = container.args?.find(
            (each, index, all) =>
                argument !== undefined && (each.startsWith(`${argument}=`) || all[index - 1] === argument),
        );
        if (given !== undefined) {
            return at.test(given);
        }
        return file === undefined
            ? known.default === port
            : ofKind(objects, "ConfigMap").some(({ data = {} }) =>
                  Object.values(data).some((text) => new RegExp(`\\b${file}\\b[^]{0,200}?\\b${port}\\b`).test(text)),
              );
    });
}

test("every image of a reviewed chart has facts, and every fact belongs to an image", () => {
    const used = new Set(subjects.map(({ repository }) => repository));
    const ofReviewed = subjects.filter(({ chart }) => reviewed.has(chart)).map(({ repository }) => repository);

    expect(ofReviewed.filter((repository) => !(repository in facts))).toEqual([]);
    expect(Object.keys(facts).filter((repository) => !used.has(repository))).toEqual([]);
});

test("the facts are for the tag that the chart uses", () => {
    const old = mistakes(({ repository, tag }, { version, sources }) =>
        tag === version
            ? []
            : [
                  `${repository} is ${tag}, and test/charts/images.yaml has the facts for ${version}. Read again, then set ` +
                      `its version: ${sources.map((each) => `${each.repository} ${each.path}`).join(", ")}`,
              ],
    );

    expect(old).toEqual([]);
});

/** Reports whether a version or a release line that was read names a tag: 3.6 names v3.6.13, and 2026-08-22 no tag. */
function namesTag(read: string, tag: string): boolean {
    const [line, version] = [read, tag].map((each) => each.replace(/^v/, ""));
    return (
        version === line || (version?.startsWith(line ?? "") === true && /\W/.test(version.charAt(line?.length ?? 0)))
    );
}

test("no fact is older than its tag, unless its source names that tag", () => {
    const old = Object.entries(facts).flatMap(([repository, { version, sources }]) =>
        sources
            .filter((each) => each.for !== version && !namesTag(each.read, version))
            .map(
                (each) =>
                    `${repository} is ${version}: read ${each.repository} ${each.path} again, known from ${each.read}`,
            ),
    );

    expect(old).toEqual([]);
    expect([namesTag("3.6", "v3.6.13"), namesTag("v2", "v3.2.2"), namesTag("1.2", "1.20.0")]).toEqual([
        true,
        false,
        false,
    ]);
});

test("every fact has a source", () => {
    for (const { sources } of Object.values(facts)) {
        expect(sources.length).toBeGreaterThan(0);
        for (const source of sources) {
            expect(source).toEqual({
                repository: expect.stringMatching(/^[\w.-]+\/[\w.-]+$/),
                path: expect.stringMatching(/\S/),
                read: expect.stringMatching(/\S/),
                ...(source.at !== undefined && { at: expect.stringMatching(/\S/) }),
                ...(source.for !== undefined && { for: expect.stringMatching(/\S/) }),
            });
        }
    }
});

test("each program runs as a user that it supports", () => {
    const wrong = mistakes((subject, { runsAs }) => {
        const user = userOf(subject);
        const works = runsAs === "any" || (user !== undefined && runsAs.includes(user));
        return works ? [] : [`runs as ${user}; ${subject.repository} works as ${runsAs}`];
    });

    expect(wrong).toEqual([]);
});

test("each command and each probe starts a program of the image", () => {
    const missing = mistakes((subject, { programs = [], entrypoint }) =>
        [subject.container.command, ...probes(subject).map(({ exec }) => exec?.command)]
            .flatMap((command) => command?.slice(0, 1) ?? [])
            .filter((program) => ![...programs, ...entrypoint].includes(program))
            .map((program) => `starts ${program}, which ${subject.repository} does not have`),
    );

    expect(missing).toEqual([]);
});

test("each container has exactly the capabilities that its program needs", () => {
    const wrong = mistakes((subject, { fileCapabilities = [], rootNeeds = [] }) => {
        const { privileged, capabilities } = subject.container.securityContext ?? {};
        if (privileged) {
            return [];
        }
        const needed = [...fileCapabilities, ...(userOf(subject) === 0 ? rootNeeds : [])];
        const added: readonly string[] = capabilities?.add ?? [];
        return [
            ...needed.filter((each) => !added.includes(each)).map((each) => `needs ${each}`),
            ...added.filter((each) => !needed.includes(each)).map((each) => `has no use for ${each}`),
        ];
    });

    expect(wrong).toEqual([]);
});

test("each program can write to its data folders", () => {
    const wrong = mistakes((subject, { writes = [], ownFolders = [] }) =>
        subject.stays
            ? writes.flatMap((folder) => {
                  const mount = mountOf(subject, folder);
                  if (mount) {
                      return isReadOnly(subject, mount) ? [`${folder} is mounted read-only`] : [];
                  }
                  const isOpen = subject.container.securityContext?.readOnlyRootFilesystem === false;
                  return isOpen && ownFolders.includes(folder) ? [] : [`${folder} is not writable`];
              })
            : [],
    );

    expect(wrong).toEqual([]);
});

test("no folder is mounted read-only below one that the entrypoint fills", () => {
    const wrong = mistakes((subject, { readsAtStart = [] }) =>
        readsAtStart.flatMap((folder) =>
            (subject.container.volumeMounts ?? [])
                .filter((mount) => mount.mountPath.startsWith(`${folder}/`) && !mount.subPath)
                .filter((mount) => isReadOnly(subject, mount))
                .map(({ mountPath }) => `${mountPath} is read-only: mount its files, each with a subPath`),
        ),
    );

    expect(wrong).toEqual([]);
});

test("each port of a container is one that its program listens on", () => {
    const closed = mistakes((subject, image) =>
        (subject.container.ports ?? [])
            .filter(({ containerPort }) => !isListening(subject, image, containerPort))
            .map(({ containerPort }) => `nobody listens on ${containerPort}`),
    );

    expect(closed).toEqual([]);
});

/** Ports of the Internet that policies let the pods with these labels connect to: "any", or numbers, with /UDP. */
function openPorts(objects: readonly Manifest[], labels: Readonly<Record<string, string>> = {}): string[] {
    return ofKind(objects, "NetworkPolicy")
        .filter(({ spec }) =>
            Object.entries(spec?.podSelector?.matchLabels ?? {}).every(([key, value]) => labels[key] === value),
        )
        .flatMap(({ spec }) => spec?.egress ?? [])
        .filter(({ to = [] }) => to.some(({ ipBlock }) => ipBlock?.cidr === "0.0.0.0/0"))
        .flatMap(
            ({ ports }) => ports?.map(({ port, protocol }) => `${port}${protocol === "UDP" ? "/UDP" : ""}`) ?? "any",
        );
}

test("each pod reaches the ports of the Internet that its programs connect to, such as those of mail, and no others", () => {
    const wrong = [...defaults].flatMap(([chart, objects]) =>
        workloads(objects).flatMap(({ name, template }) => {
            const images = [...(template.spec?.initContainers ?? []), ...(template.spec?.containers ?? [])];
            const needs = images.flatMap(({ image = "" }) => facts[image.replace(/:[^/]*$/, "")]?.internet ?? []);
            const needed = [...new Set(needs.map(String))].sort();
            const open = [...new Set(openPorts(objects, template.metadata?.labels))].sort();
            return needed.includes("configured") || needed.join() === open.join()
                ? []
                : [
                      `${chart}/${name} reaches ${open.join() || "nothing"}, and its programs need ${needed.join() || "nothing"}`,
                  ];
        }),
    );

    expect(wrong).toEqual([]);
});

test("each probe requests a path that answers without a login", () => {
    const wrong = mistakes((subject, { health = [] }) =>
        probes(subject)
            .flatMap(({ httpGet }) => httpGet?.path ?? [])
            .filter((path) => !health.includes(path))
            .map((path) => `${path} is no health endpoint of ${subject.repository}`),
    );

    expect([...new Set(wrong)]).toEqual([]);
});

test("the program reads each environment variable that the chart sets", () => {
    // The C library and every runtime read it.
    const always = ["TZ"];
    const unknown = mistakes(({ container, repository }, { variables }) => {
        // Kubernetes puts the value of $(NAME) into another variable.
        const expanded = (container.env ?? []).flatMap(({ value = "" }) =>
            [...value.matchAll(/\$\((\w+)\)/g)].map(([, name = ""]) => name),
        );
        return (container.env ?? [])
            .filter(({ name }) => ![...always, ...expanded, ...variables].some((pattern) => matches(name, pattern)))
            .map(({ name }) => `${repository} does not read ${name}`);
    });

    expect(unknown).toEqual([]);
});
