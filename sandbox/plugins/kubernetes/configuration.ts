import type { CheckFailure, CheckRequest, DiffRequest, DiffResponse } from "../shared/provider";
import { equal, isObject, type Properties, Unknown, type Value, withoutSecrets } from "../shared/values";
import { activeContext, type Kubeconfig, readKubeconfig } from "./kubeconfig";
import { stringAt } from "./objects";

/** What the provider was configured with. */
export interface Configuration {
    readonly kubeconfig: string;
    readonly context: string;
    readonly cluster: string;
    readonly namespace: string;
    readonly serverSideApply: boolean;
    readonly patchForce: boolean;
    readonly upsert: boolean;
    readonly deleteUnreachable: boolean;
    readonly skipUpdateUnreachable: boolean;
    readonly configMapMutable: boolean;
    readonly secretMutable: boolean;
    readonly suppressDeprecationWarnings: boolean;
    readonly suppressHelmHookWarnings: boolean;
    /** Where Helm keeps its things, where the user says so. */
    readonly helm: HelmSettings;
}

/** The provider's helmReleaseSettings. */
export interface HelmSettings {
    readonly driver?: string;
    readonly pluginsPath?: string;
    readonly registryConfigPath?: string;
    readonly repositoryCache?: string;
    readonly repositoryConfigPath?: string;
}

/**
 * Reads the configuration that the engine hands over, and the environment variables that stand in for it.
 *
 * @param variables keys such as kubernetes:config:namespace
 * @throws Error when a nested setting is not JSON
 */
export function readConfiguration(variables: ReadonlyMap<string, string>): Configuration {
    const text = (key: string) => variables.get(`kubernetes:config:${key}`) ?? "";
    const flag = (key: string, variable: string, otherwise = false) => {
        const value = variables.get(`kubernetes:config:${key}`) ?? process.env[variable];
        return value === undefined ? otherwise : value === "true";
    };
    if (text("renderYamlToDirectory") !== "") {
        throw new Error("this stand-in for the kubernetes plugin does not render YAML to a directory");
    }
    return {
        kubeconfig: text("kubeconfig"),
        context: text("context"),
        cluster: text("cluster"),
        namespace: text("namespace"),
        serverSideApply: flag("enableServerSideApply", "PULUMI_K8S_ENABLE_SERVER_SIDE_APPLY", true),
        patchForce: flag("enablePatchForce", "PULUMI_K8S_ENABLE_PATCH_FORCE"),
        upsert: flag("upsertExistingObjects", "PULUMI_K8S_UPSERT_EXISTING_OBJECTS"),
        deleteUnreachable: flag("deleteUnreachable", "PULUMI_K8S_DELETE_UNREACHABLE"),
        skipUpdateUnreachable: flag("skipUpdateUnreachable", "PULUMI_K8S_SKIP_UPDATE_UNREACHABLE"),
        configMapMutable: flag("enableConfigMapMutable", "PULUMI_K8S_ENABLE_CONFIGMAP_MUTABLE"),
        secretMutable: flag("enableSecretMutable", "PULUMI_K8S_ENABLE_SECRET_MUTABLE"),
        suppressDeprecationWarnings: flag("suppressDeprecationWarnings", "PULUMI_K8S_SUPPRESS_DEPRECATION_WARNINGS"),
        suppressHelmHookWarnings: flag("suppressHelmHookWarnings", "PULUMI_K8S_SUPPRESS_HELM_HOOK_WARNINGS"),
        helm: helmSettings(text("helmReleaseSettings")),
    };
}

function helmSettings(json: string): HelmSettings {
    let given: unknown = {};
    try {
        given = json === "" ? {} : JSON.parse(json);
    } catch (error) {
        throw new Error(`failed to unmarshal helmReleaseSettings option: ${error}`);
    }
    const named: HelmSettings = isObject(given as Value) ? (given as HelmSettings) : {};
    const value = (key: keyof HelmSettings, variable: string) => {
        const found = named[key] ?? process.env[variable];
        return found ? { [key]: found } : {};
    };
    return {
        ...value("driver", "PULUMI_K8S_HELM_DRIVER"),
        ...value("pluginsPath", "PULUMI_K8S_HELM_PLUGINS_PATH"),
        ...value("registryConfigPath", "PULUMI_K8S_HELM_REGISTRY_CONFIG_PATH"),
        ...value("repositoryCache", "PULUMI_K8S_HELM_REPOSITORY_CACHE"),
        ...value("repositoryConfigPath", "PULUMI_K8S_HELM_REPOSITORY_CONFIG_PATH"),
    };
}

function isTruthy(value: Value | undefined): boolean {
    return value === true || (typeof value === "string" && value.length > 0);
}

function isTrue(value: Value | undefined): boolean {
    return value === true || value === "true";
}

/** Checks that the provider's arguments go together. */
export function checkConfiguration({ type, urn, news }: CheckRequest): readonly CheckFailure[] {
    const inputs = withoutSecrets(news);
    const failures: CheckFailure[] = [];
    if (isTrue(inputs["strictMode"]) && type.startsWith("pulumi:providers:")) {
        if (urn.split("::").pop()?.startsWith("default_")) {
            failures.push({ property: "", reason: "strict mode prohibits default provider" });
        }
        for (const property of ["kubeconfig", "context"]) {
            if (!isTruthy(inputs[property])) {
                const reason = `strict mode requires Provider "${property}" argument`;
                failures.push({ property, reason });
            }
        }
        if (failures.length > 0) {
            return failures;
        }
    }
    const renders = isTruthy(inputs["renderYamlToDirectory"]);
    if (renders) {
        for (const property of ["cluster", "context", "kubeconfig"]) {
            const ambient = property === "kubeconfig" && inputs[property] === process.env["KUBECONFIG"];
            if (isTruthy(inputs[property]) && !ambient) {
                const reason = `"${property}" arg is not compatible with "renderYamlToDirectory" arg`;
                failures.push({ property, reason });
            }
        }
    } else if (isTrue(inputs["alwaysRender"])) {
        const reason = '"alwaysRender" requires "renderYamlToDirectory" to be set';
        failures.push({ property: "alwaysRender", reason });
    }
    return failures;
}

function kubeconfigOf(inputs: Properties): Kubeconfig {
    const value = inputs["kubeconfig"];
    const text = isObject(value) ? JSON.stringify(value) : stringAt(inputs, "kubeconfig");
    try {
        return readKubeconfig(text);
    } catch (error) {
        throw new Error(`failed to parse kubeconfig: ${error instanceof Error ? error.message : error}`);
    }
}

function clusterOf(inputs: Properties): Properties | undefined {
    try {
        const overrides = {
            context: stringAt(inputs, "context"),
            cluster: stringAt(inputs, "cluster"),
            namespace: "",
        };
        return activeContext(kubeconfigOf(inputs), overrides).cluster;
    } catch {
        return undefined;
    }
}

/**
 * Whether a new configuration means another cluster, so that everything in it has to be replaced: the identifier
 * decides where there is one, else whether the active cluster of the kubeconfig differs.
 */
export function diffConfiguration({ olds: state, oldInputs, news: inputs }: DiffRequest): DiffResponse {
    const olds = withoutSecrets(Object.keys(oldInputs).length > 0 ? oldInputs : state);
    const news = withoutSecrets(inputs);
    const keys = new Set([...Object.keys(olds), ...Object.keys(news)]);
    const diffs = [...keys].filter((key) => !equal(olds[key], news[key])).sort();
    if (diffs.length === 0) {
        return { changes: false };
    }
    const identifier = news["clusterIdentifier"];
    if (identifier !== undefined && equal(identifier, olds["clusterIdentifier"])) {
        return { changes: true, diffs };
    }
    const replaces: string[] = [];
    if (identifier !== undefined && olds["clusterIdentifier"] !== undefined) {
        replaces.push("clusterIdentifier");
    }
    const cluster = ["kubeconfig", "context", "cluster"];
    const notKnown = cluster.find((key) => news[key] instanceof Unknown);
    if (notKnown !== undefined) {
        return { changes: true, diffs: [notKnown], replaces: [...replaces, notKnown] };
    }
    if (diffs.includes("renderYamlToDirectory")) {
        replaces.push("renderYamlToDirectory");
    }
    const [before, after] = [clusterOf(olds), clusterOf(news)];
    if (before && after && !equal(before, after)) {
        replaces.push(...cluster.filter((key) => diffs.includes(key)));
    }
    return { changes: true, diffs, replaces };
}
