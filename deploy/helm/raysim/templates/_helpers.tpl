{{- define "raysim.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 39 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 39 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 39 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "raysim.image" -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}

{{- define "raysim.labels" -}}
app.kubernetes.io/name: raysim
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{- define "raysim.tokenSecret" -}}
{{- default (printf "%s-token" (include "raysim.fullname" .)) .Values.authTokenSecret -}}
{{- end -}}

{{- define "raysim.serviceAccount" -}}
{{- if .Values.head.serviceAccountName -}}
{{ .Values.head.serviceAccountName }}
{{- else if .Values.head.enableInTreeAutoscaling -}}
{{ include "raysim.fullname" . }}-head
{{- else -}}
default
{{- end -}}
{{- end -}}

{{- /* Groups by name: `worker`, unless it is disabled, and the others with what `worker` says where they are silent. */ -}}
{{- define "raysim.groups" -}}
{{- $groups := dict -}}
{{- if not .Values.worker.disabled -}}
{{- $_ := set $groups .Values.worker.groupName .Values.worker -}}
{{- end -}}
{{- range $name, $group := .Values.additionalWorkerGroups -}}
{{- if not $group.disabled -}}
{{- $_ := set $groups $name (mergeOverwrite (deepCopy (omit $.Values.worker "disabled")) $group) -}}
{{- end -}}
{{- end -}}
{{- toYaml $groups -}}
{{- end -}}

{{- /* Arguments of `raysim start` that all nodes have. */ -}}
{{- define "raysim.listening" -}}
- --node-ip-address
- $(POD_IP)
{{- if .Values.tls.secretName }}
{{- else if .Values.allowPlaintext }}
- --allow-plaintext
{{- else }}
{{- fail "Set tls.secretName to a secret with ca.crt, tls.crt and tls.key, or allowPlaintext=true where nobody else is on the pods' network." }}
{{- end }}
{{- end -}}

{{- define "raysim.environment" -}}
- name: POD_IP
  valueFrom: {fieldRef: {fieldPath: status.podIP}}
- name: RAYSIM_AUTH_TOKEN
  valueFrom:
    secretKeyRef: {name: {{ include "raysim.tokenSecret" . }}, key: auth_token}
{{- if .Values.tls.secretName }}
- {name: RAYSIM_TLS_NAME, value: {{ .Values.tls.name | quote }}}
- {name: RAYSIM_TLS_CA_CERT, value: /etc/raysim/tls/ca.crt}
- {name: RAYSIM_TLS_SERVER_CERT, value: /etc/raysim/tls/tls.crt}
- {name: RAYSIM_TLS_SERVER_KEY, value: /etc/raysim/tls/tls.key}
{{- end }}
{{- with .Values.common.containerEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* Fields of a pod that `head` and the groups say in the same words: (dict "root" $ "part" ...). */ -}}
{{- define "raysim.podFields" -}}
{{- $part := .part -}}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- range $key := list "nodeSelector" "tolerations" "affinity" }}
{{- with index $part $key }}
{{ $key }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 1000
  fsGroup: 1000
volumes:
  - {name: tmp, emptyDir: {}}
  {{- if .root.Values.tls.secretName }}
  - {name: tls, secret: {secretName: {{ .root.Values.tls.secretName }}, defaultMode: 0440}}
  {{- end }}
  {{- with $part.volumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "raysim.containerFields" -}}
{{- $part := .part -}}
image: {{ include "raysim.image" .root }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
command: [tini, --, raysim]
{{- with $part.envFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
env:
  {{- include "raysim.environment" .root | nindent 2 }}
  {{- with $part.containerEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
resources:
  {{- toYaml $part.resources | nindent 2 }}
securityContext:
  {{- toYaml (mergeOverwrite (dict "allowPrivilegeEscalation" false "capabilities" (dict "drop" (list "ALL"))) (default (dict) $part.securityContext)) | nindent 2 }}
volumeMounts:
  - {name: tmp, mountPath: /tmp}
  {{- if .root.Values.tls.secretName }}
  - {name: tls, mountPath: /etc/raysim/tls, readOnly: true}
  {{- end }}
  {{- with $part.volumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "raysim.parameters" -}}
{{- range $name, $value := . }}
- {{ printf "--%s" $name | quote }}
- {{ $value | quote }}
{{- end }}
{{- end -}}
