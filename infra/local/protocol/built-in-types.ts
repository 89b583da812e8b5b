/** Types that services use and that the shipped descriptors leave out, and the addresses that they leave open. */
import type { HttpBinding, RawNode } from "./descriptor-json.js";

const wrapper = (type: string): RawNode => ({ fields: { value: { type, id: 1 } } });

/** Google's well-known types, error details and audit log, https://github.com/googleapis/googleapis */
export const builtInTypes: RawNode = {
  nested: {
    google: {
      nested: {
        protobuf: {
          nested: {
            Any: {
              fields: { type_url: { type: "string", id: 1 }, value: { type: "bytes", id: 2 } },
            },
            Timestamp: {
              fields: { seconds: { type: "int64", id: 1 }, nanos: { type: "int32", id: 2 } },
            },
            Duration: {
              fields: { seconds: { type: "int64", id: 1 }, nanos: { type: "int32", id: 2 } },
            },
            Empty: { fields: {} },
            FieldMask: { fields: { paths: { rule: "repeated", type: "string", id: 1 } } },
            Struct: { fields: { fields: { keyType: "string", type: "Value", id: 1 } } },
            Value: {
              oneofs: {
                kind: {
                  oneof: [
                    "nullValue",
                    "numberValue",
                    "stringValue",
                    "boolValue",
                    "structValue",
                    "listValue",
                  ],
                },
              },
              fields: {
                nullValue: { type: "NullValue", id: 1 },
                numberValue: { type: "double", id: 2 },
                stringValue: { type: "string", id: 3 },
                boolValue: { type: "bool", id: 4 },
                structValue: { type: "Struct", id: 5 },
                listValue: { type: "ListValue", id: 6 },
              },
            },
            NullValue: { values: { NULL_VALUE: 0 } },
            ListValue: { fields: { values: { rule: "repeated", type: "Value", id: 1 } } },
            DoubleValue: wrapper("double"),
            FloatValue: wrapper("float"),
            Int64Value: wrapper("int64"),
            UInt64Value: wrapper("uint64"),
            Int32Value: wrapper("int32"),
            UInt32Value: wrapper("uint32"),
            BoolValue: wrapper("bool"),
            StringValue: wrapper("string"),
            BytesValue: wrapper("bytes"),
          },
        },
        rpc: {
          nested: {
            Status: {
              fields: {
                code: { type: "int32", id: 1 },
                message: { type: "string", id: 2 },
                details: { rule: "repeated", type: "google.protobuf.Any", id: 3 },
              },
            },
            ErrorInfo: {
              fields: {
                reason: { type: "string", id: 1 },
                domain: { type: "string", id: 2 },
                metadata: { keyType: "string", type: "string", id: 3 },
              },
            },
            BadRequest: {
              fields: { fieldViolations: { rule: "repeated", type: "FieldViolation", id: 1 } },
              nested: {
                FieldViolation: {
                  fields: {
                    field: { type: "string", id: 1 },
                    description: { type: "string", id: 2 },
                  },
                },
              },
            },
            RetryInfo: { fields: { retryDelay: { type: "google.protobuf.Duration", id: 1 } } },
          },
        },
        cloud: {
          nested: {
            audit: {
              nested: {
                AuditLog: {
                  fields: {
                    serviceName: { type: "string", id: 7 },
                    methodName: { type: "string", id: 8 },
                    resourceName: { type: "string", id: 11 },
                    numResponseItems: { type: "int64", id: 12 },
                    status: { type: "google.rpc.Status", id: 2 },
                    authenticationInfo: { type: "AuthenticationInfo", id: 3 },
                    authorizationInfo: { rule: "repeated", type: "AuthorizationInfo", id: 9 },
                    requestMetadata: { type: "RequestMetadata", id: 4 },
                    request: { type: "google.protobuf.Struct", id: 16 },
                    response: { type: "google.protobuf.Struct", id: 17 },
                    metadata: { type: "google.protobuf.Struct", id: 18 },
                    serviceData: { type: "google.protobuf.Any", id: 15 },
                  },
                },
                AuthenticationInfo: {
                  fields: {
                    principalEmail: { type: "string", id: 1 },
                    authoritySelector: { type: "string", id: 2 },
                    principalSubject: { type: "string", id: 8 },
                  },
                },
                AuthorizationInfo: {
                  fields: {
                    resource: { type: "string", id: 1 },
                    permission: { type: "string", id: 2 },
                    granted: { type: "bool", id: 3 },
                  },
                },
                RequestMetadata: {
                  fields: {
                    callerIp: { type: "string", id: 1 },
                    callerSuppliedUserAgent: { type: "string", id: 2 },
                    callerNetwork: { type: "string", id: 3 },
                  },
                },
              },
            },
          },
        },
      },
    },
  },
};

/** Addresses that Google sets in each product's service configuration rather than in the shared protos. */
export const extraBindings: Readonly<Record<string, readonly HttpBinding[]>> = {
  "google.longrunning.Operations.GetOperation": ["v1", "v1beta1", "ui"].map((version) => ({
    verb: "GET",
    template: `/${version}/{name=projects/**/operations/*}`,
  })),
  "google.longrunning.Operations.ListOperations": ["v1", "v1beta1", "ui"].map((version) => ({
    verb: "GET",
    template: `/${version}/{name=projects/**}/operations`,
  })),
  "google.longrunning.Operations.DeleteOperation": ["v1", "v1beta1", "ui"].map((version) => ({
    verb: "DELETE",
    template: `/${version}/{name=projects/**/operations/*}`,
  })),
  "google.longrunning.Operations.CancelOperation": ["v1", "v1beta1", "ui"].map((version) => ({
    verb: "POST",
    template: `/${version}/{name=projects/**/operations/*}:cancel`,
    body: "*",
  })),
  "google.longrunning.Operations.WaitOperation": ["v1", "v1beta1", "ui"].map((version) => ({
    verb: "POST",
    template: `/${version}/{name=projects/**/operations/*}:wait`,
    body: "*",
  })),
  "google.iam.v1.IAMPolicy.GetIamPolicy": [
    { verb: "GET", template: "/v1/{resource=**}:getIamPolicy" },
  ],
};
