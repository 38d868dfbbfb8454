#!/usr/bin/env bash
# Builds the TODO API by hand, with the AWS CLI: each command is one step that one would click through
# in AWS's console.
#
#   ./todo.sh build        the functions, and a REST API that is open to everybody
#   ./todo.sh authorize    a user pool, and an authorizer on both methods
#   ./todo.sh user EMAIL   a user with a temporary password, which comes by mail
#   ./todo.sh sign-in EMAIL PASSWORD [NEW-PASSWORD]    prints an ID token
#   ./todo.sh clean        removes everything
#
# What a step makes is kept in ./todo.env for the next one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
export AWS_PAGER="" AWS_DEFAULT_OUTPUT=text
region=${AWS_REGION:-us-east-1}
[[ -f todo.env ]] && source ./todo.env

keep() { printf '%s=%q\n' "$1" "$2" >>todo.env; printf -v "$1" %s "$2"; }

build() {
	: >todo.env
	account=$(aws sts get-caller-identity --query Account)
	keep bucket "todo-tasks-$account-$region"
	aws s3 mb "s3://$bucket"

	# A role for the functions: who may assume it, and what it may do.
	aws iam create-role --role-name todo-functions --query Role.Arn --assume-role-policy-document '{"Version": "2012-10-17",
		"Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}'
	aws iam attach-role-policy --role-name todo-functions --policy-arn arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole
	aws iam put-role-policy --role-name todo-functions --policy-name tasks --policy-document '{"Version": "2012-10-17", "Statement": [
		{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::'"$bucket"'"},
		{"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "arn:aws:s3:::'"$bucket"'/tasks.json"}]}'

	# The functions. zip is not on every machine; Python is.
	python3 -m zipfile -c tasks.zip tasks.py
	for name in get_tasks add_task; do
		aws lambda create-function --function-name "todo-$name" --runtime python3.12 --handler "tasks.$name" --zip-file fileb://tasks.zip \
			--role "arn:aws:iam::$account:role/todo-functions" --timeout 10 --environment "Variables={BUCKET=$bucket}" --query FunctionArn
		aws lambda wait function-active-v2 --function-name "todo-$name"
	done
	rm tasks.zip

	# The API: a resource with two methods, each with its function.
	keep api "$(aws apigateway create-rest-api --name todo-api --query id)"
	root=$(aws apigateway get-resources --rest-api-id "$api" --query 'items[?path==`/`].id')
	keep tasks "$(aws apigateway create-resource --rest-api-id "$api" --parent-id "$root" --path-part tasks --query id)"
	local method name
	while read -r method name; do
		aws apigateway put-method --rest-api-id "$api" --resource-id "$tasks" --http-method "$method" --authorization-type NONE
		aws apigateway put-integration --rest-api-id "$api" --resource-id "$tasks" --http-method "$method" --type AWS_PROXY --integration-http-method POST \
			--uri "arn:aws:apigateway:$region:lambda:path/2015-03-31/functions/arn:aws:lambda:$region:$account:function:todo-$name/invocations"
		aws lambda add-permission --function-name "todo-$name" --statement-id api --action lambda:InvokeFunction --principal apigateway.amazonaws.com \
			--source-arn "arn:aws:execute-api:$region:$account:$api/*/$method/tasks"
	done <<-'METHODS'
		GET get_tasks
		POST add_task
	METHODS
	deploy
}

deploy() {
	aws apigateway create-deployment --rest-api-id "$api" --stage-name todo --query id
	echo "https://$api.execute-api.$region.amazonaws.com/todo/tasks"
}

authorize() {
	keep pool "$(aws cognito-idp create-user-pool --pool-name todo-user-pool --auto-verified-attributes email --query UserPool.Id)"
	keep client "$(aws cognito-idp create-user-pool-client --user-pool-id "$pool" --client-name todo-app-client --no-generate-secret --query UserPoolClient.ClientId \
		--explicit-auth-flows ALLOW_ADMIN_USER_PASSWORD_AUTH ALLOW_CUSTOM_AUTH ALLOW_USER_PASSWORD_AUTH ALLOW_USER_SRP_AUTH ALLOW_REFRESH_TOKEN_AUTH)"
	arn=$(aws cognito-idp describe-user-pool --user-pool-id "$pool" --query UserPool.Arn)
	keep authorizer "$(aws apigateway create-authorizer --rest-api-id "$api" --name todo-authorizer --type COGNITO_USER_POOLS \
		--provider-arns "$arn" --identity-source method.request.header.Authorization --query id)"
	for method in GET POST; do
		aws apigateway update-method --rest-api-id "$api" --resource-id "$tasks" --http-method "$method" --patch-operations \
			op=replace,path=/authorizationType,value=COGNITO_USER_POOLS "op=replace,path=/authorizerId,value=$authorizer" --query authorizationType
	done
	echo "The methods have an authorizer now. What is deployed does not, until: ./todo.sh deploy"
}

user() {
	aws cognito-idp admin-create-user --user-pool-id "$pool" --username "$1" --user-attributes "Name=email,Value=$1" Name=email_verified,Value=true --query User.UserStatus
}

# pairs NAME=VALUE…: as JSON, for the CLI's short form has no way to write every password.
pairs() { python3 -c 'import json, sys; print(json.dumps(dict(a.split("=", 1) for a in sys.argv[1:])))' "$@"; }

sign_in() {
	local session
	if [[ -n ${3:-} ]]; then # the first time: the temporary password gives way to a new one
		session=$(aws cognito-idp admin-initiate-auth --user-pool-id "$pool" --client-id "$client" --auth-flow ADMIN_NO_SRP_AUTH \
			--auth-parameters "$(pairs "USERNAME=$1" "PASSWORD=$2")" --query Session)
		aws cognito-idp admin-respond-to-auth-challenge --user-pool-id "$pool" --client-id "$client" --challenge-name NEW_PASSWORD_REQUIRED \
			--challenge-responses "$(pairs "USERNAME=$1" "NEW_PASSWORD=$3")" --session "$session" --query AuthenticationResult.IdToken
	else
		aws cognito-idp admin-initiate-auth --user-pool-id "$pool" --client-id "$client" --auth-flow ADMIN_NO_SRP_AUTH \
			--auth-parameters "$(pairs "USERNAME=$1" "PASSWORD=$2")" --query AuthenticationResult.IdToken
	fi
}

clean() {
	aws apigateway delete-rest-api --rest-api-id "$api"
	[[ -z ${pool:-} ]] || aws cognito-idp delete-user-pool --user-pool-id "$pool"
	for name in get_tasks add_task; do aws lambda delete-function --function-name "todo-$name"; done
	aws iam delete-role-policy --role-name todo-functions --policy-name tasks
	aws iam detach-role-policy --role-name todo-functions --policy-arn arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole
	aws iam delete-role --role-name todo-functions
	aws s3 rb "s3://$bucket" --force
	rm todo.env
}

case ${1:-} in
build | authorize | deploy | clean) "$1" ;;
user) user "$2" ;;
sign-in) sign_in "$2" "$3" "${4:-}" ;;
*) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p;}' "$0"; exit 2 ;;
esac
