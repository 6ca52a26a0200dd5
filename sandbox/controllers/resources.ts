import type { KubeObject, Resource } from "./api";
import type { Certificate, Issuer } from "./cert-manager-types";
import type {
    V1CSIDriver,
    V1CustomResourceDefinition,
    V1Deployment,
    V1EndpointSlice,
    V1Ingress,
    V1IngressClass,
    V1MutatingWebhookConfiguration,
    V1Namespace,
    V1Node,
    V1PersistentVolume,
    V1PersistentVolumeClaim,
    V1Pod,
    V1Secret,
    V1Service,
    V1StorageClass,
    V1ValidatingWebhookConfiguration,
} from "./kubernetes-types";
import type { AddressPool, Advertisement } from "./metallb-types";

function resource<T extends KubeObject>(apiVersion: string, kind: string, plural: string): Resource<T> {
    return { apiVersion, kind, plural };
}

/** Every kind of object that the controllers read or write. */
export const resources = {
    namespaces: resource<V1Namespace>("v1", "Namespace", "namespaces"),
    nodes: resource<V1Node>("v1", "Node", "nodes"),
    pods: resource<V1Pod>("v1", "Pod", "pods"),
    secrets: resource<V1Secret>("v1", "Secret", "secrets"),
    services: resource<V1Service>("v1", "Service", "services"),
    volumes: resource<V1PersistentVolume>("v1", "PersistentVolume", "persistentvolumes"),
    claims: resource<V1PersistentVolumeClaim>("v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
    deployments: resource<V1Deployment>("apps/v1", "Deployment", "deployments"),
    endpointSlices: resource<V1EndpointSlice>("discovery.k8s.io/v1", "EndpointSlice", "endpointslices"),
    ingresses: resource<V1Ingress>("networking.k8s.io/v1", "Ingress", "ingresses"),
    ingressClasses: resource<V1IngressClass>("networking.k8s.io/v1", "IngressClass", "ingressclasses"),
    storageClasses: resource<V1StorageClass>("storage.k8s.io/v1", "StorageClass", "storageclasses"),
    csiDrivers: resource<V1CSIDriver>("storage.k8s.io/v1", "CSIDriver", "csidrivers"),
    definitions: resource<V1CustomResourceDefinition>(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "customresourcedefinitions",
    ),
    validatingWebhooks: resource<V1ValidatingWebhookConfiguration>(
        "admissionregistration.k8s.io/v1",
        "ValidatingWebhookConfiguration",
        "validatingwebhookconfigurations",
    ),
    mutatingWebhooks: resource<V1MutatingWebhookConfiguration>(
        "admissionregistration.k8s.io/v1",
        "MutatingWebhookConfiguration",
        "mutatingwebhookconfigurations",
    ),
    events: resource("v1", "Event", "events"),
    addressPools: resource<AddressPool>("metallb.io/v1beta1", "IPAddressPool", "ipaddresspools"),
    l2Advertisements: resource<Advertisement>("metallb.io/v1beta1", "L2Advertisement", "l2advertisements"),
    bgpAdvertisements: resource<Advertisement>("metallb.io/v1beta1", "BGPAdvertisement", "bgpadvertisements"),
    issuers: resource<Issuer>("cert-manager.io/v1", "Issuer", "issuers"),
    clusterIssuers: resource<Issuer>("cert-manager.io/v1", "ClusterIssuer", "clusterissuers"),
    certificates: resource<Certificate>("cert-manager.io/v1", "Certificate", "certificates"),
};
