{{- define "atraso.name" -}}
{{- if contains "atraso" .Release.Name }}{{ .Release.Name | trunc 52 | trimSuffix "-" }}{{ else }}{{ printf "%s-atraso" .Release.Name | trunc 52 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "atraso.image" -}}
{{ .Values.image.repository }}{{ with .Values.image.digest }}@{{ . }}{{ else }}:{{ .Chart.AppVersion }}{{ end }}
{{- end }}

{{- define "atraso.choice" -}}
app.kubernetes.io/name: atraso
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "atraso.labels" -}}
{{ include "atraso.choice" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}
