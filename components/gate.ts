/**
 * Annotations that make Pulumi wait for an Argo CD Application, and Argo CD look at Git at once.
 *
 * Health alone is not enough: an Application that is OutOfSync can be Healthy. Sync and health are not enough either:
 * right after a push both still describe the commit before. So the revision that they were compared to counts too.
 *
 * @param revisionPath JSONPath of the revision of this repository in the Application's status
 * @param revision full hash of the commit that the Application has to be on
 */
export function gateAnnotations(revisionPath: string, revision: string): Record<string, string> {
    return {
        "pulumi.com/waitFor": JSON.stringify([
            `jsonpath={${revisionPath}}=${revision}`,
            "jsonpath={.status.sync.status}=Synced",
            "jsonpath={.status.health.status}=Healthy",
        ]),
        // Argo CD takes this one off when it has refreshed; a new revision in waitFor brings it back.
        "argocd.argoproj.io/refresh": "normal",
    };
}
