import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { firstSteps } from "./components/addresses";
import { readApplications } from "./components/applications";
import { Backup } from "./components/backup";
import { askCluster } from "./components/cluster";
import { GitSource } from "./components/git-source";
import { externalGitea, Gitea } from "./components/gitea";
import { memoryShortage } from "./components/memory";
import { checkMedia, missingIn } from "./components/named-things";
import { clusterValues } from "./components/overrides";
import { RegistryLogin } from "./components/registry-login";
import { RootApplication } from "./components/root-application";
import { checkGivenSecrets, checkRotations, readSecretDeclarations } from "./components/secret-declarations";
import { SecretUsers } from "./components/secret-users";
import { Secrets } from "./components/secrets";
import { System } from "./components/system";
import { Tier } from "./components/tier";
import { WebhookDelivery } from "./components/webhook-delivery";
import "./config/process";
import { loadSettings } from "./config/settings";
import { root } from "./lib/root";
import { Edge } from "./provision/edge";
import { Nodes } from "./provision/nodes";
import { homeRegistries } from "./provision/registries";

const settings = loadSettings();
const applications = readApplications(root, settings.cluster);
checkMedia(root, applications, settings.nfs);
const declarations = readSecretDeclarations(
    root,
    applications.map((each) => each.name),
);
checkGivenSecrets(declarations, settings.secrets, pulumi.getStack());
checkRotations(declarations, settings.secrets, settings.rotations, pulumi.getStack());

const { ssh, nodes: machines } = settings;
const nodes =
    machines && ssh
        ? new Nodes("nodes", {
              nodes: machines,
              ssh,
              api: settings.api,
              k3s: settings.k3s,
              registries: homeRegistries(settings),
              discard: settings.discard,
              edge: settings.edge,
              identity: settings.identity,
              storage: settings.storage,
          })
        : undefined;
if (nodes && machines && ssh && settings.edge) {
    const registries = homeRegistries(settings);
    const { edge, k3s } = settings;
    new Edge("edge", { edge, nodes: machines, ssh, k3s, registries, cluster: nodes.cluster }, { dependsOn: nodes });
}
const given = nodes?.kubeconfig ?? pulumi.secret(settings.kubeconfig ?? "");
const asked = askCluster(given, settings.nfs !== undefined, (facts) => [
    ...applications.flatMap((each) => missingIn(root, each, facts)),
    ...memoryShortage(root, applications, settings, facts),
]);
const { kubeconfig: cluster } = asked;
const values = asked.facts.apply((facts) => clusterValues(root, settings, applications, facts));
/** Path or contents, as in the config; hack/ reads it here for a cluster that was built from nodes. */
export const kubeconfig = cluster;
/** Host keys of nodes that wait for the passphrase of their disks; hack/unlock trusts only these. */
export const unlockHostKeys = nodes?.unlockHostKeys ?? {};

const provider = new kubernetes.Provider("home", {
    kubeconfig: cluster,
    // The same cluster, though its kubeconfig may change: nothing is replaced for a new address or certificate.
    clusterIdentifier: settings.cluster,
    // An interrupted run or a lost state must not stop the next run.
    upsertExistingObjects: true,
    // Fields edited by hand are overwritten; the default is to stop at every such field.
    enablePatchForce: true,
    // A changed value is an update; the default is to delete and recreate the object.
    enableSecretMutable: true,
    enableConfigMapMutable: true,
});

const system = new System(
    "system",
    {
        settings,
        kubeconfig: cluster,
        applications,
        traefikValues: asked.facts.apply((facts) => facts?.traefikValues ?? ""),
        traefikAddress: values.apply((known) => known?.addresses?.traefik),
    },
    { provider },
);
/** Password of `owner`, the account for Argo CD's pages. */
export const argocdPassword = system.argocdPassword;
const secrets = new Secrets(
    "secrets",
    {
        declarations,
        given: settings.secrets,
        rotations: settings.rotations,
        namespaces: Object.fromEntries(applications.map(({ name, namespace }) => [name, namespace])),
    },
    { provider, dependsOn: system },
);
const secretUsers = new SecretUsers(
    "secret-users",
    { secrets: [...system.written, ...secrets.written], kubeconfig: cluster },
    { provider, dependsOn: secrets },
);
if (settings.ownGitea) {
    const password = secrets.value("gitops", "registry-password");
    const login = { root, applications, domain: settings.domain, password };
    new RegistryLogin("registry-login", login, { provider, dependsOn: system });
}
const backup = settings.backup
    ? new Backup(
          "backup",
          { root, applications, backup: settings.backup, ownServers: machines !== undefined },
          { provider, dependsOn: system },
      )
    : undefined;
if (backup === undefined) {
    void pulumi.log.info("Nothing is copied off the home: set hearth:backup (docs/backup.md).");
}
const gitea = settings.ownGitea
    ? new Gitea(
          "gitea",
          { applications, settings, values, secrets, kubeconfig: cluster },
          { provider, dependsOn: backup ? [secretUsers, backup] : secretUsers },
      )
    : undefined;
const { url, revision: branch } = settings.repository;
const access = gitea?.access ?? externalGitea(settings);
const gitSource = new GitSource(
    "git-source",
    { url, branch, cluster: settings.cluster, kubeconfig: cluster, gitea: access },
    { provider, dependsOn: gitea ?? system },
);

const { revision, forcedBack } = gitSource;
const common = { applications, settings, values, kubeconfig: cluster, revision, forcedBack };
const tier1 = new Tier(
    "tier-1",
    { tier: 1, ...common },
    { provider, dependsOn: [system, secrets, gitSource, ...(backup ? [backup] : [])] },
);
const tier2 = new Tier("tier-2", { tier: 2, ...common }, { provider, dependsOn: tier1 });
const tier3 = new Tier("tier-3", { tier: 3, ...common }, { provider, dependsOn: tier2 });
const uids = pulumi.all([tier1.uids, tier2.uids, tier3.uids]).apply((tiers) => tiers.flat());
const followed = new RootApplication("root", { ...common, uids }, { provider, dependsOn: tier3 });
if (access && gitSource.declared) {
    const { declared } = gitSource;
    const delivery = { url, branch, gitea: access, kubeconfig: cluster, declared, after: followed.ready };
    new WebhookDelivery("webhook-delivery", delivery, { parent: followed });
}

const steps = values.apply((known) => firstSteps(settings, known?.addresses));
/** Address to which every name of the home leads. */
export const traefik = steps.traefik;
/** Address of AdGuard Home. */
export const dns = steps.dns;
/** Setting to make at the router. */
export const router = steps.router;
/** The page to open first. */
export const firstPage = steps.firstPage;
