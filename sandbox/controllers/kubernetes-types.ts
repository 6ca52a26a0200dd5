// The client is an ECMAScript module: its types can be named from here, its values only be imported when needed.
type Client = typeof import("@kubernetes/client-node", { with: { "resolution-mode": "import" }});

export type KubeConfig = InstanceType<Client["KubeConfig"]>;
export type V1CSIDriver = InstanceType<Client["V1CSIDriver"]>;
export type V1CustomResourceDefinition = InstanceType<Client["V1CustomResourceDefinition"]>;
export type V1Deployment = InstanceType<Client["V1Deployment"]>;
export type V1EndpointSlice = InstanceType<Client["V1EndpointSlice"]>;
export type V1Ingress = InstanceType<Client["V1Ingress"]>;
export type V1IngressClass = InstanceType<Client["V1IngressClass"]>;
export type V1LabelSelector = InstanceType<Client["V1LabelSelector"]>;
export type V1MutatingWebhookConfiguration = InstanceType<Client["V1MutatingWebhookConfiguration"]>;
export type V1Namespace = InstanceType<Client["V1Namespace"]>;
export type V1Node = InstanceType<Client["V1Node"]>;
export type V1ObjectMeta = InstanceType<Client["V1ObjectMeta"]>;
export type V1PersistentVolume = InstanceType<Client["V1PersistentVolume"]>;
export type V1PersistentVolumeClaim = InstanceType<Client["V1PersistentVolumeClaim"]>;
export type V1Pod = InstanceType<Client["V1Pod"]>;
export type V1Secret = InstanceType<Client["V1Secret"]>;
export type V1Service = InstanceType<Client["V1Service"]>;
export type V1StorageClass = InstanceType<Client["V1StorageClass"]>;
export type V1ValidatingWebhook = InstanceType<Client["V1ValidatingWebhook"]>;
export type V1ValidatingWebhookConfiguration = InstanceType<Client["V1ValidatingWebhookConfiguration"]>;
export type Watch = InstanceType<Client["Watch"]>;
