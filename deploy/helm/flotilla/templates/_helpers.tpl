{{- define "flotilla.name" -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "flotilla.image" -}}
{{- printf "%s/%s:%s" .root.Values.images.registry .package (.root.Values.images.tag | default .root.Chart.AppVersion) -}}
{{- end -}}

{{/* Of the pods of one component, and of whatever selects them. */}}
{{- define "flotilla.selector" -}}
app.kubernetes.io/name: flotilla
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "flotilla.labels" -}}
{{ include "flotilla.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{/* The restricted Pod Security Standard. */}}
{{- define "flotilla.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "flotilla.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* The Host header is one that every server answers. */}}
{{- define "flotilla.probes" -}}
startupProbe:
  httpGet: &healthz {path: /healthz, port: http, httpHeaders: [{name: Host, value: localhost}]}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: *healthz
  periodSeconds: 10
  timeoutSeconds: 5
readinessProbe:
  httpGet: {path: /readyz, port: http, httpHeaders: [{name: Host, value: localhost}]}
  periodSeconds: 5
  timeoutSeconds: 5
{{- end -}}

{{/* Where a process serves /metrics. */}}
{{- define "flotilla.metricsPort" -}}
- {name: metrics, protocol: TCP, containerPort: 9464}
{{- end -}}

{{/* What Prometheus finds pods by in the configuration of its chart. */}}
{{- define "flotilla.annotations" -}}
{{- $scraped := dict "prometheus.io/scrape" "true" "prometheus.io/port" "9464" "prometheus.io/path" "/metrics" -}}
{{- with merge (dict) .values.podAnnotations (ternary $scraped (dict) .root.Values.metrics.enabled) -}}
{{- toYaml . -}}
{{- end -}}
{{- end -}}

{{/* An ingress rule of a NetworkPolicy, where anybody may scrape. */}}
{{- define "flotilla.scrapers" -}}
{{- if and .Values.metrics.enabled .Values.networkPolicy.metricsFrom -}}
- from: {{- toYaml .Values.networkPolicy.metricsFrom | nindent 4 }}
  ports: [{protocol: TCP, port: metrics}]
{{- end -}}
{{- end -}}

{{- define "flotilla.placement" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "flotilla.selector" . | nindent 8 }}
{{- with .values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.images.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "flotilla.fleet" -}}
{{- $servers := dict -}}
{{- range $name, $server := .Values.servers -}}
{{- if $server.enabled -}}
{{- $_ := set $servers $name (dict "url" (printf "http://%s-%s:8000/mcp" (include "flotilla.name" $) $name) "audience" $name) -}}
{{- end -}}
{{- end -}}
{{- toYaml (merge (dict "servers" $servers) .Values.orchestrator.fleet) -}}
{{- end -}}
